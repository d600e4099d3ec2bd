//! The address of a state store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the state of clusters lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    S3 {
        bucket: String,
        /// Without slashes at its ends; empty for the whole bucket.
        prefix: String,
    },
    /// An absolute path.
    File { dir: PathBuf },
}

/// Text that is no address of a state store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a state store: {reason}")]
pub struct InvalidStoreUrl {
    pub text: String,
    /// What is wrong and what is allowed.
    pub reason: String,
}

impl StoreUrl {
    /// Reads `s3://BUCKET[/PREFIX]` or `file:///DIR`.
    ///
    /// # Errors
    /// With what is wrong, and what is allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidStoreUrl> {
        let parsed = match text.split_once("://") {
            Some(("s3", rest)) => parse_s3(rest),
            Some(("file", rest)) => parse_file(rest),
            Some((scheme, _)) => Err(format!("the scheme {scheme}:// is not known; use s3://BUCKET[/PREFIX] or file:///DIR")),
            None if text.starts_with('/') => Err(format!("for a directory write file://{text}")),
            None if check_bucket(text).is_ok() => Err(format!("for a bucket write s3://{text}; for a directory file:///DIR")),
            None => Err("use s3://BUCKET[/PREFIX] or file:///DIR".into()),
        };
        parsed.map_err(|reason| InvalidStoreUrl { text: text.to_owned(), reason })
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Reads back as the same address.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::File { dir } => write!(f, "file://{}", dir.display()),
        }
    }
}

fn parse_s3(rest: &str) -> Result<StoreUrl, String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.starts_with("arn:") {
        return Err("access points have no versions and no policy of their own; name the bucket: s3://BUCKET[/PREFIX]".into());
    }
    check_bucket(bucket)?;
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() && super::layout::check_key(prefix).is_err() {
        return Err(format!(
            "the prefix '{prefix}' must be made of parts of letters, digits, '-', '_' and '.', with one '/' between them"
        ));
    }
    Ok(StoreUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// S3's rules for general-purpose buckets, less the names with dots: TLS certificates of S3 do not cover those.
fn check_bucket(bucket: &str) -> Result<(), String> {
    let allowed = "bucket names have 3 to 63 lower-case letters, digits and '-', with a letter or digit at both ends";
    if bucket.is_empty() {
        return Err("it names no bucket; use s3://BUCKET[/PREFIX]".into());
    }
    if bucket.contains('.') {
        return Err("buckets with dots in their names are not supported, because TLS certificates of S3 do not cover them".into());
    }
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(inner) || bucket.starts_with('-') || bucket.ends_with('-') {
        return Err(format!("'{bucket}' cannot be a bucket; {allowed}"));
    }
    if bucket.ends_with("--x-s3") {
        return Err("directory buckets (--x-s3) keep no versions; use a general-purpose bucket".into());
    }
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| bucket.starts_with(start))
        || ["-s3alias", "--ol-s3", "--table-s3"].iter().any(|end| bucket.ends_with(end));
    if reserved {
        return Err(format!("'{bucket}' cannot be a bucket: AWS keeps such names for itself"));
    }
    Ok(())
}

fn parse_file(rest: &str) -> Result<StoreUrl, String> {
    let Some(path) = rest.strip_prefix('/') else {
        return Err(format!("the path must be absolute; use file:///DIR, such as file:///srv/{}", rest.trim_end_matches('/')));
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("the path must not contain '..'".into());
    }
    if path.contains('\0') {
        return Err("the path must not contain a NUL character".into());
    }
    if parts.is_empty() {
        return Err("it names no directory; use file:///DIR".into());
    }
    Ok(StoreUrl::File { dir: Path::new("/").join(parts.join("/")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for (text, canonical) in [
            ("s3://team-state", "s3://team-state"),
            ("s3://team-state/", "s3://team-state"),
            ("s3://team-state/a/b_c.d/", "s3://team-state/a/b_c.d"),
            ("s3://123", "s3://123"),
            ("file:///srv/state", "file:///srv/state"),
            ("file:///srv//state/./x/", "file:///srv/state/x"),
            ("file:///home/me/my state", "file:///home/me/my state"),
        ] {
            let url = StoreUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), canonical);
            assert_eq!(canonical.parse::<StoreUrl>().unwrap(), url);
        }
        let url = StoreUrl::parse("s3://team-state/a/b").unwrap();
        assert_eq!(url, StoreUrl::S3 { bucket: "team-state".into(), prefix: "a/b".into() });
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("", "use s3://BUCKET[/PREFIX] or file:///DIR"),
            ("team-state", "write s3://team-state"),
            ("/srv/state", "write file:///srv/state"),
            ("gs://bucket", "gs:// is not known"),
            ("S3://bucket", "S3:// is not known"),
            ("s3://", "names no bucket"),
            ("s3:///prefix", "names no bucket"),
            ("s3://ab", "3 to 63"),
            ("s3://Team", "lower-case"),
            ("s3://-team", "both ends"),
            ("s3://team_state", "lower-case"),
            ("s3://192.168.5.4", "dots"),
            ("s3://state.example.com", "dots"),
            ("s3://fast--use1-az4--x-s3", "directory buckets"),
            ("s3://sthree-x", "for itself"),
            ("s3://arn:aws:s3:us-east-1:123456789012:accesspoint/x", "access points"),
            ("s3://team//a", "the prefix"),
            ("s3://team/a/../b", "the prefix"),
            ("s3://team/a b", "the prefix"),
            ("s3://team/a?versionId=1", "the prefix"),
            ("file://state", "must be absolute"),
            ("file://./state", "must be absolute"),
            ("file:///", "names no directory"),
            ("file:///srv/../etc", "'..'"),
        ] {
            let error = StoreUrl::parse(text).unwrap_err();
            assert!(error.reason.contains(part), "{text}: {}", error.reason);
            assert_eq!(error.to_string(), format!("'{text}' is not a state store: {}", error.reason));
        }
        assert!(StoreUrl::parse(&format!("s3://{}", "a".repeat(63))).is_ok());
        assert!(StoreUrl::parse(&format!("s3://{}", "a".repeat(64))).is_err());
    }
}
