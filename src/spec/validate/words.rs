//! Checks of single words that several blocks share.

use std::ops::Range;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::diag::{Diagnostic, nearest};
use crate::spec::decode::Spanned;
use crate::spec::names::{ClusterName, GroupName, InstanceType, Region, Zone};

/// A checked word of `names`.
pub(super) trait Word: Sized {
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! words {
    ($($name:ident),*) => {$(
        impl Word for $name {
            fn parse(text: &str) -> Result<Self, String> {
                $name::parse(text)
            }
        }
    )*};
}
words!(ClusterName, GroupName, InstanceType, Region, Zone);

/// The checked word, or a finding that says what `what` must be.
pub(super) fn parsed<T: Word>(text: &Spanned<String>, what: &str, found: &mut Vec<Diagnostic>) -> Option<T> {
    match T::parse(&text.value) {
        Ok(word) => Some(word),
        Err(rule) => {
            let finding = Diagnostic::error(text.span.clone(), format!("{what} must be {rule}"));
            let meant = text.value.to_lowercase().replace('_', "-");
            let meant = meant.trim_end_matches('.');
            let near = meant != text.value && T::parse(meant).is_ok();
            found.push(if near { finding.label(format!("did you mean `{meant}`?")) } else { finding });
            None
        }
    }
}

/// An instance type. Of a wrong one, the size is the likelier half.
pub(super) fn instance_type(text: &Spanned<String>, what: &str, found: &mut Vec<Diagnostic>) -> Option<InstanceType> {
    const SIZES: [&str; 9] = ["large", "xlarge", "2xlarge", "4xlarge", "medium", "small", "micro", "nano", "metal"];
    let size = text.value.split_once('.').map(|(family, size)| (family, nearest(size, SIZES)));
    match size {
        Some((family, Some(size))) if InstanceType::parse(text.value.as_str()).is_err() => {
            let meant = format!("{}.{size}", family.to_lowercase());
            if InstanceType::parse(meant.as_str()).is_err() {
                return parsed(text, what, found);
            }
            let message = format!("{what} must be an EC2 instance type, such as m6i.large");
            found.push(Diagnostic::error(text.span.clone(), message).label(format!("did you mean `{meant}`?")));
            None
        }
        _ => parsed(text, what, found),
    }
}

/// An IPv4 range in canonical form.
pub(super) fn cidr(text: &Spanned<String>, what: &str, found: &mut Vec<Diagnostic>) -> Option<Ipv4Net> {
    let wrong = |message: String| Diagnostic::error(text.span.clone(), message);
    let finding = match text.value.parse::<Ipv4Net>() {
        Ok(net) if net.trunc() == net => {
            if net.to_string() == text.value {
                return Some(net);
            }
            wrong(format!("{what} must be written as {net}"))
        }
        Ok(net) => wrong(format!("{what} names an address inside a range, and must name the range"))
            .label(format!("the range is {}", net.trunc())),
        Err(_) if text.value.parse::<Ipv6Net>().is_ok() => wrong(format!("{what} must be an IPv4 range; IPv6 is not supported")),
        Err(_) if text.value.parse::<std::net::Ipv4Addr>().is_ok() => {
            wrong(format!("{what} must be a range, and this is an address")).label(format!("one address is {}/32", text.value))
        }
        Err(_) => wrong(format!("{what} must be an IPv4 range, such as 10.0.0.0/16")),
    };
    found.push(finding);
    None
}

/// Ranges that may reach something, each once.
pub(super) fn cidrs(texts: &[Spanned<String>], what: &str, found: &mut Vec<Diagnostic>) -> Vec<Ipv4Net> {
    let mut nets: Vec<(Ipv4Net, Range<usize>)> = Vec::new();
    for text in texts {
        let Some(net) = cidr(text, &format!("an entry of {what}"), found) else { continue };
        match nets.iter().find(|(other, _)| *other == net) {
            // EC2 refuses the second of two equal rules (InvalidPermission.Duplicate).
            Some((_, first)) => found.push(twice(text, first)),
            None => nets.push((net, text.span.clone())),
        }
    }
    nets.into_iter().map(|(net, _)| net).collect()
}

/// A value that is listed a second time.
pub(super) fn twice(text: &Spanned<String>, first: &Range<usize>) -> Diagnostic {
    Diagnostic::error(text.span.clone(), format!("`{}` is given twice", text.value)).related(first.clone(), "first given here")
}

/// An address `scheme://host[:port][/path]` without credentials, query or fragment.
pub(super) fn url(text: &Spanned<String>, what: &str, schemes: &[&str], found: &mut Vec<Diagnostic>) -> Option<String> {
    let allowed = || schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
    let wrong = |message: String| Diagnostic::error(text.span.clone(), message);
    let finding = match text.value.split_once("://") {
        Some((scheme, rest)) if schemes.contains(&scheme) => {
            let authority = rest.split('/').next().unwrap_or_default();
            if authority.contains('@') {
                wrong(format!("{what} must not carry credentials"))
            } else if !is_authority(authority) {
                wrong(format!("{what} must name a host, such as {scheme}://mirror.example.com"))
            } else if let Some(c) =
                rest.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '"' | '\'' | '\\' | '`' | '$'))
            {
                wrong(format!("{what} must not contain {c:?}"))
            } else {
                return Some(text.value.clone());
            }
        }
        Some(_) => wrong(format!("{what} must begin with {}", allowed())),
        None => wrong(format!("{what} must be an address that begins with {}", allowed())),
    };
    found.push(finding);
    None
}

/// `host[:port]`.
pub(super) fn is_authority(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    crate::spec::names::check_dns_name(host).is_ok() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
