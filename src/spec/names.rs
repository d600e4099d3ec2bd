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
    text.split('.').try_for_each(check_dns_label)
}

fn check_cluster_name(text: &str) -> Result<(), String> {
    if text.len() > 63 {
        return Err(format!("at most 63 characters long; this one has {}", text.len()));
    }
    check_dns_name(text)
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

fn check_instance_type(text: &str) -> Result<(), String> {
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    match text.split_once('.') {
        Some((family, size)) if word(family) && word(size) => Ok(()),
        _ => Err("an EC2 instance type, such as m6i.large".into()),
    }
}
