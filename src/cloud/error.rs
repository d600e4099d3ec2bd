//! How a call to AWS can fail, for the executor (what to do) and for the operator (what to read).

use std::fmt;

/// What a failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The thing named is not there (`*.NotFound`, `NoSuchEntity`, …).
    NotFound,
    /// A thing of this name or content exists already.
    AlreadyExists,
    /// It cannot be removed yet: something depends on it (`DependencyViolation`, `ResourceInUse`, `DeleteConflict`, …).
    InUse,
    /// Something made a moment ago is not visible everywhere yet; the same call will succeed soon.
    NotYet,
    /// Still throttled after the SDK's own retries.
    Throttled,
    /// Missing permission.
    Denied,
    /// No credentials, or they are expired or unknown to AWS.
    Credentials,
    /// A limit of the account.
    Quota,
    /// AWS refuses the request as it is.
    Invalid,
    /// Lost or broken connection, or a 5xx, after the SDK's own retries. The call may have taken effect.
    Transport,
    /// The endpoint cannot be reached at all.
    Unreachable,
    /// Somebody else changed it first (S3 412, `PriorRequestNotComplete`, …).
    Conflict,
    Other,
}

impl ErrorClass {
    /// The same call may well succeed in a moment, though nothing else happens.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::NotYet | Self::Throttled | Self::Transport | Self::Conflict)
    }
}

/// A failed call: what was asked, and AWS's own answer.
#[derive(Debug, Clone, thiserror::Error)]
pub struct CloudError {
    pub class: ErrorClass,
    /// Service and operation, such as `ec2:CreateVpc`: the name of the IAM action.
    pub operation: String,
    /// AWS's error code, where there was an answer.
    pub code: Option<String>,
    /// AWS's message, or what went wrong before there was an answer.
    pub message: String,
    pub request_id: Option<String>,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(self.message.trim_end_matches('.'))?;
        if let Some(request_id) = &self.request_id {
            write!(f, " (request id {request_id})")?;
        }
        Ok(())
    }
}
