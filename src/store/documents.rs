//! Versioned documents: what is read is what was written, or the reason why not.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::{Facts, Physical};
use crate::model::ResourceId;

use super::{StoreError, Version};

/// Raised when an older kclust would misread a document. A field that it does not know needs no new number: it refuses those.
pub(super) const FORMAT_VERSION: u32 = 1;

/// A document as it was read, with what a conditional write of it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    pub value: T,
    pub version: Version,
}

/// What a command does to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Create,
    Update,
    Delete,
}

/// `ledger.json`: what the last command that changed resources has made, for what cannot carry a tag and for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    pub operation: Operation,
    pub started_at: Timestamp,
    /// When it ended by itself, done or failed; `None` while it runs, and when it was interrupted.
    pub finished_at: Option<Timestamp>,
    /// Who wrote it last. Ledgers of before it was written have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    pub resources: Vec<LedgerEntry>,
}

/// One process that carries out an operation, or goes on with it where another one was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Random: no two ledgers are the same, whatever else they say.
    pub id: String,
    /// `user@host`, and the AWS identity.
    pub by: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    pub id: ResourceId,
    pub physical: Physical,
}

/// `facts.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct FactsBody {
    pub facts: Facts,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<T> {
    format_version: u32,
    #[serde(flatten)]
    body: T,
}

/// JSON with the format version in front.
pub(super) fn write<T: Serialize>(location: &str, body: &T) -> Result<Vec<u8>, StoreError> {
    to_bytes(&Document { format_version: FORMAT_VERSION, body }, location)
}

/// As [`write`], in one line.
pub(super) fn write_line<T: Serialize>(location: &str, body: &T) -> Result<String, StoreError> {
    let document = Document { format_version: FORMAT_VERSION, body };
    serde_json::to_string(&document).map_err(|error| unwritable(location, error))
}

/// Reads what [`write`] wrote. A document with fields that this version does not know is refused: they would be lost when it is
/// written again. How to get a corrupt one back is for the caller to say.
pub(super) fn read<T: Serialize + DeserializeOwned>(location: &str, bytes: &[u8]) -> Result<T, StoreError> {
    let value = parse_versioned(location, bytes)?;
    let document: Document<T> = serde_json::from_value(value.clone()).map_err(|error| StoreError::Corrupt {
        location: location.to_owned(),
        reason: error.to_string(),
        hint: "if a newer kclust wrote it, use that one".to_owned(),
    })?;
    let known = serde_json::to_value(&document).map_err(|error| unwritable(location, error))?;
    match unknown_field(&value, &known) {
        None => Ok(document.body),
        Some(path) => Err(newer(location, format!("it has the field {path}"))),
    }
}

/// JSON of a format version that is known.
pub(super) fn parse_versioned(location: &str, bytes: &[u8]) -> Result<Value, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { location: location.to_owned(), reason, hint: String::new() };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| corrupt(format!("it is not JSON: {error}")))?;
    match value.get("formatVersion").and_then(Value::as_u64) {
        Some(version) if version == u64::from(FORMAT_VERSION) => Ok(value),
        Some(version) if version > u64::from(FORMAT_VERSION) => {
            Err(newer(location, format!("its format is version {version}, known is {FORMAT_VERSION}")))
        }
        Some(version) => Err(corrupt(format!("its format version {version} never was in use"))),
        None => Err(corrupt("it has no formatVersion".into())),
    }
}

pub(super) fn to_bytes<T: Serialize>(value: &T, location: &str) -> Result<Vec<u8>, StoreError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| unwritable(location, error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn unwritable(location: &str, error: serde_json::Error) -> StoreError {
    StoreError::Io { action: "write".into(), location: location.to_owned(), source: error.into() }
}

fn newer(location: &str, reason: String) -> StoreError {
    StoreError::Newer { location: location.to_owned(), reason }
}

/// Path of the first field of `read` that `known` lacks: the reader dropped it.
fn unknown_field(read: &Value, known: &Value) -> Option<String> {
    match (read, known) {
        (Value::Object(read), Value::Object(known)) => read.iter().find_map(|(name, value)| match known.get(name) {
            // A field without a value may be left out when it is written.
            None if value.is_null() => None,
            None => Some(name.clone()),
            Some(other) => unknown_field(value, other).map(|path| format!("{name}.{path}")),
        }),
        (Value::Array(read), Value::Array(known)) => read
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (value, other))| unknown_field(value, other).map(|path| format!("{index}.{path}"))),
        _ => None,
    }
}
