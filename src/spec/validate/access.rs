//! Tags, SSH keys and instance profiles.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::words::cidrs;
use crate::diag::Diagnostic;
use crate::spec::cluster::{Iam, Ssh};
use crate::spec::decode::{Entries, Spanned};
use crate::spec::raw::{RawIam, RawSsh};

/// A resource carries 50 tags; some of them are ours.
const MOST_TAGS: usize = 40;
/// Prefixes of tags that AWS, Kubernetes' cloud provider and kclust itself go by.
const RESERVED_TAGS: [&str; 3] = ["aws:", "kubernetes.io/", "kclust.dev/"];

pub(super) fn tags(raw: Option<&Entries<Spanned<String>>>, found: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    let entries = raw.map(|entries| entries.0.as_slice()).unwrap_or_default();
    if let Some((extra, _)) = entries.get(MOST_TAGS) {
        let message = format!("there must be at most {MOST_TAGS} tags: AWS allows 50, and kclust adds its own");
        found.push(Diagnostic::error(extra.span.clone(), message));
    }
    for (key, value) in entries {
        let length = key.value.chars().count();
        let reserved = RESERVED_TAGS.iter().find(|prefix| key.value.to_lowercase().starts_with(**prefix));
        let rule = if key.value == "Name" {
            Some("a tag cannot be named `Name`: kclust names every resource itself".to_owned())
        } else if let Some(prefix) = reserved {
            Some(format!("a tag cannot begin with `{prefix}`: such tags have a meaning of their own"))
        } else if !(1..=128).contains(&length) {
            Some("the key of a tag must have 1 to 128 characters".to_owned())
        } else {
            tag_character(&key.value).map(|c| format!("the key of a tag cannot contain {c:?}"))
        };
        found.extend(rule.map(|message| Diagnostic::error(key.span.clone(), message)));
        let rule = if value.value.chars().count() > 256 {
            Some("the value of a tag must have at most 256 characters".to_owned())
        } else {
            tag_character(&value.value).map(|c| format!("the value of a tag cannot contain {c:?}"))
        };
        found.extend(rule.map(|message| {
            Diagnostic::error(value.span.clone(), message).help("allowed are letters, digits, spaces and _ . : / = + - @")
        }));
    }
    entries.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect()
}

/// A character that some service refuses: IAM and load balancers allow the least.
fn tag_character(text: &str) -> Option<char> {
    text.chars().find(|c| !(c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@')))
}

pub(super) fn ssh(raw: Option<&RawSsh>, found: &mut Vec<Diagnostic>) -> Option<Ssh> {
    let raw = raw?;
    let allowed_cidrs = cidrs(raw.allowed_cidrs.as_deref().unwrap_or_default(), "`spec.ssh.allowedCIDRs`", found);
    let text = raw.public_key.as_ref()?;
    match public_key(&text.value) {
        Ok(public_key) => Some(Ssh { public_key, allowed_cidrs }),
        Err((message, help)) => {
            let finding = Diagnostic::error(text.span.clone(), message);
            found.push(if help.is_empty() { finding } else { finding.help(help) });
            None
        }
    }
}

/// The key as one line, or what is wrong with it and what to do. Neither repeats the text: it may be a secret.
fn public_key(text: &str) -> Result<String, (String, &'static str)> {
    const HOW: &str = "give the content of the .pub file: `ssh-ed25519 AAAA... comment`";
    if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
        return Err((
            "`spec.ssh.publicKey` holds a private key".into(),
            "give the .pub file's content instead; treat this key as disclosed if the file was shared",
        ));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if text.trim().lines().count() > 1 {
        return Err(("`spec.ssh.publicKey` must be one key on one line".into(), HOW));
    }
    let (kind, blob) = match words.as_slice() {
        [kind @ ("ssh-ed25519" | "ssh-rsa"), blob, ..] => (*kind, *blob),
        [kind, ..] if kind.starts_with("ecdsa-") || kind.starts_with("sk-") || *kind == "ssh-dss" => {
            let message = format!("`spec.ssh.publicKey` is of type {kind}, which EC2 does not import");
            return Err((message, "EC2's ImportKeyPair takes ssh-ed25519 and ssh-rsa"));
        }
        [path] if path.starts_with(['/', '~', '.']) || path.ends_with(".pub") => {
            return Err(("`spec.ssh.publicKey` must be the key itself, and this is a path".into(), HOW));
        }
        _ => return Err(("`spec.ssh.publicKey` must be a key in OpenSSH's format".into(), HOW)),
    };
    let broken = || (format!("`spec.ssh.publicKey` is not a whole {kind} key"), "copy the line of the .pub file as it stands");
    let bytes = BASE64.decode(blob).map_err(|_| broken())?;
    // RFC 4253, section 6.6, and RFC 8709, section 4: the type, then the parts of the key, each with its length.
    let (inner, rest) = field(&bytes).ok_or_else(broken)?;
    if inner != kind.as_bytes() {
        return Err(broken());
    }
    if kind == "ssh-ed25519" {
        return match field(rest) {
            Some((key, [])) if key.len() == 32 => Ok(words.join(" ")),
            _ => Err(broken()),
        };
    }
    let (_, rest) = field(rest).ok_or_else(broken)?;
    let Some((modulus, [])) = field(rest) else { return Err(broken()) };
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    if modulus.len() - zeros < 256 {
        return Err((
            "`spec.ssh.publicKey` is an RSA key of less than 2048 bits".into(),
            "make a new key with `ssh-keygen -t ed25519`",
        ));
    }
    Ok(words.join(" "))
}

/// A string of SSH's wire format (RFC 4251, section 5) and what follows it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

pub(super) fn iam(raw: Option<&RawIam>, found: &mut Vec<Diagnostic>) -> Iam {
    let mut profile = |text: Option<&Spanned<String>>, key: &str| {
        let text = text?;
        if !is_instance_profile(&text.value) {
            let message = format!("`spec.iam.{key}` must be the ARN of an instance profile");
            let finding = Diagnostic::error(text.span.clone(), message);
            found.push(if text.value.contains(":role/") {
                finding.label("this is a role").help("give the instance profile that holds the role")
            } else {
                finding.help("for example arn:aws:iam::123456789012:instance-profile/nodes")
            });
        }
        Some(text.value.clone())
    };
    Iam {
        control_plane_profile: profile(raw.and_then(|iam| iam.control_plane_profile.as_ref()), "controlPlaneProfile"),
        node_profile: profile(raw.and_then(|iam| iam.node_profile.as_ref()), "nodeProfile"),
    }
}

fn is_instance_profile(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws" | "aws-cn" | "aws-us-gov", "iam", "", account, resource] = parts.as_slice() else { return false };
    let path = resource.strip_prefix("instance-profile/").unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && (1..=128).contains(&name.len())
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(kind: &str, parts: &[&[u8]]) -> String {
        let mut bytes = Vec::new();
        for part in [kind.as_bytes()].iter().chain(parts) {
            bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            bytes.extend(*part);
        }
        BASE64.encode(bytes)
    }

    #[test]
    fn keys_that_ec2_imports() {
        let ed25519 = format!("ssh-ed25519  {} a b\n", blob("ssh-ed25519", &[&[7; 32]]));
        assert_eq!(public_key(&ed25519).unwrap(), ed25519.split_whitespace().collect::<Vec<_>>().join(" "));
        let rsa =
            |bytes: usize| format!("ssh-rsa {}", blob("ssh-rsa", &[&[1, 0, 1], &[&[0], vec![0x80; bytes].as_slice()].concat()]));
        assert!(public_key(&rsa(256)).is_ok());
        assert!(public_key(&rsa(384)).is_ok());
        assert!(public_key(&rsa(128)).unwrap_err().0.contains("2048"));
    }

    #[test]
    fn keys_that_are_not_whole() {
        let short = format!("ssh-ed25519 {}", blob("ssh-ed25519", &[&[7; 31]]));
        let other = format!("ssh-ed25519 {}", blob("ssh-rsa", &[&[7; 32]]));
        let longer = format!("ssh-ed25519 {}", blob("ssh-ed25519", &[&[7; 32], &[1]]));
        for wrong in [short.as_str(), &other, &longer, "ssh-ed25519 AAAA", "ssh-ed25519 ????", "ssh-rsa AAAA////"] {
            assert!(public_key(wrong).unwrap_err().0.contains("not a whole"), "{wrong}");
        }
        for wrong in ["", "ssh-ed25519", "hello world"] {
            assert!(public_key(wrong).unwrap_err().0.contains("OpenSSH"), "{wrong}");
        }
        assert!(public_key("~/.ssh/id.pub").unwrap_err().0.contains("a path"));
        assert!(public_key("ecdsa-sha2-nistp256 AAAA").unwrap_err().0.contains("EC2 does not import"));
    }

    #[test]
    fn instance_profiles() {
        for right in ["arn:aws:iam::123456789012:instance-profile/n", "arn:aws-cn:iam::123456789012:instance-profile/a/b/n"] {
            assert!(is_instance_profile(right), "{right}");
        }
        for wrong in [
            "nodes",
            "arn:aws:iam::123456789012:role/n",
            "arn:aws:iam::12345678901:instance-profile/n",
            "arn:aws:iam::123456789012:instance-profile/",
            "arn:aws:iam:us-east-1:123456789012:instance-profile/n",
        ] {
            assert!(!is_instance_profile(wrong), "{wrong}");
        }
    }
}
