//! Words of the spec that are checked once, when they are parsed, and can then be trusted everywhere.

use std::fmt;

use serde::Serialize;

/// Declares a checked string: it can only be made by `parse`, and reads as `&str`.
macro_rules! checked_string {
    ($(#[$meta:meta])* $name:ident, $check:path) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// What is allowed, as a sentence fragment that completes "must be …".
            pub fn parse(text: impl Into<String>) -> Result<Self, String> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

checked_string!(
    /// Name of a cluster: a DNS name of at most 63 characters, because it is a label of AWS names, a tag value and a
    /// part of `api.<cluster>`.
    ClusterName,
    check_cluster_name
);
checked_string!(
    /// Name of a node group: a DNS label (RFC 1123), because it becomes a node label value and a part of AWS names.
    GroupName,
    check_dns_label
);
checked_string!(
    /// AWS region, such as `us-east-1`.
    Region,
    check_region
);
checked_string!(
    /// Availability zone, such as `us-east-1a`.
    Zone,
    check_zone
);
checked_string!(
    /// EC2 instance type, such as `m6i.large`.
    InstanceType,
    check_instance_type
);

impl Region {
    /// The part of AWS that the region belongs to, as ARNs name it.
    pub fn partition(&self) -> &'static str {
        match self.0.as_str() {
            name if name.starts_with("cn-") => "aws-cn",
            name if name.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

impl Zone {
    /// The region a zone lies in: local zones (`us-west-2-lax-1a`) are not accepted, so it is the name less its letter.
    pub fn region(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    /// The letter that tells zones of one region apart.
    pub fn letter(&self) -> &str {
        &self.0[self.0.len() - 1..]
    }
}

impl InstanceType {
    /// What stands before the dot: `m6i` of `m6i.large`.
    pub fn family(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

/// RFC 1123 label: 1–63 of `a-z 0-9 -`, starting and ending with a letter or digit.
pub(crate) fn check_dns_label(text: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 63 {
        return Err("1 to 63 characters long".into());
    }
    if !text.chars().all(inner) {
        return Err("made of lower-case letters, digits and '-'".into());
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err("a name that starts and ends with a letter or digit".into());
    }
    Ok(())
}

/// Dot-separated RFC 1123 labels.
pub(crate) fn check_dns_name(text: &str) -> Result<(), String> {
    if text.len() > 253 {
        return Err("at most 253 characters long".into());
    }
    if let Some(c) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.')) {
        return Err(format!("made of lower-case letters, digits, '-' and '.'; it has {c:?}"));
    }
    if text.split('.').any(|label| check_dns_label(label).is_err()) {
        return Err("parts of 1 to 63 characters between dots, each beginning and ending with a letter or digit".into());
    }
    Ok(())
}

fn check_cluster_name(text: &str) -> Result<(), String> {
    if text.len() > 63 {
        return Err(format!("at most 63 characters long; this one has {}", text.len()));
    }
    check_dns_name(text)?;
    // Nothing may take the name, or `api.<name>`, for an address (RFC 1123, section 2.1).
    if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err("a name whose last part is not a number".into());
    }
    Ok(())
}

fn check_region(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('-').collect();
    let shaped = parts.len() >= 3
        && parts[..parts.len() - 1].iter().all(|p| !p.is_empty() && p.chars().all(|c| c.is_ascii_lowercase()))
        && parts[parts.len() - 1].chars().all(|c| c.is_ascii_digit())
        && !parts[parts.len() - 1].is_empty();
    if shaped { Ok(()) } else { Err("an AWS region, such as us-east-1".into()) }
}

fn check_zone(text: &str) -> Result<(), String> {
    let shaped =
        text.char_indices().last().is_some_and(|(at, letter)| letter.is_ascii_lowercase() && check_region(&text[..at]).is_ok());
    if shaped { Ok(()) } else { Err("an availability zone, such as us-east-1a".into()) }
}

/// `family.size`: a family has a letter first and a digit somewhere, a size is one of EC2's words.
fn check_instance_type(text: &str) -> Result<(), String> {
    let word = |part: &str| part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let family_like = |family: &str| {
        word(family) && family.starts_with(|c: char| c.is_ascii_lowercase()) && family.contains(|c: char| c.is_ascii_digit())
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let size_like = |size: &str| {
        matches!(size, "nano" | "micro" | "small" | "medium" | "large" | "xlarge" | "metal")
            || size.strip_suffix("xlarge").is_some_and(digits)
            || size.strip_prefix("metal-").and_then(|size| size.strip_suffix("xl")).is_some_and(digits)
    };
    match text.split_once('.') {
        Some((family, size)) if family_like(family) && size_like(size) => Ok(()),
        _ => Err("an EC2 instance type, such as m6i.large".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_types() {
        for right in
            ["t3.large", "m7g.2xlarge", "c7i.metal-24xl", "u-6tb1.56xlarge", "u7i-12tb.224xlarge", "c7i-flex.large", "a1.metal"]
        {
            assert!(InstanceType::parse(right).is_ok(), "{right}");
        }
        for wrong in
            ["", "m6i", "m6i.", ".large", "m6i.lrage", "M6i.large", "m6i.large.large", "m6i.xlargex", "mi.large", "6m.large"]
        {
            assert!(InstanceType::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cluster_names() {
        for right in ["dev", "dev.k8s.local", "1password.example.com", &format!("{}.b", "a".repeat(61))] {
            assert!(ClusterName::parse(right).is_ok(), "{right}");
        }
        for wrong in ["", "Dev", "a..b", ".a", "a.", "-a", "a_b", "10.0.0.1", "42", "a b", &format!("{}.b", "a".repeat(62))] {
            assert!(ClusterName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn zones_and_regions() {
        for right in ["us-east-1a", "us-gov-west-1b", "ap-southeast-7c"] {
            let zone = Zone::parse(right).unwrap();
            assert_eq!(format!("{}{}", zone.region(), zone.letter()), right);
            assert!(Region::parse(zone.region()).is_ok());
        }
        for wrong in ["", "a", "us-east-1", "us-west-2-lax-1a", "us-east-1A", "us-east-a", "useast1a", "us-east-1ä"] {
            assert!(Zone::parse(wrong).is_err(), "{wrong}");
        }
    }
}
