//! The SDK's errors in our own words: one class for what to do, and AWS's own message for what to read.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use aws_types::request_id::RequestId;

use crate::cloud::{CloudError, ErrorClass};
use crate::model::ResourceId;

/// What to do about it is the hint of every error of credentials.
const NO_CREDENTIALS: &str = "no AWS credentials were found";

/// Translates a failed call. `operation` is the name of the IAM action, such as `ec2:CreateVpc`.
pub(crate) fn translate<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let request_id = error.request_id().map(str::to_owned);
    let status = error.raw_response().map(|response| response.status().as_u16());
    let (class, code, message) = match &error {
        SdkError::ServiceError(failure) => service(failure.err(), status.unwrap_or_default()),
        // An answer that is not the protocol's: a proxy's page, or a body that broke off.
        SdkError::ResponseError(_) => {
            let status = status.unwrap_or_default();
            let class = if status < 400 { ErrorClass::Transport } else { class_of_status(status) };
            (class, None, format!("the answer (HTTP {status}) cannot be read: {}", innermost(&error)))
        }
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(connector) => connection(connector),
            None => (ErrorClass::Transport, None, innermost(&error)),
        },
        SdkError::TimeoutError(_) => (ErrorClass::Transport, None, "no answer in time".to_owned()),
        SdkError::ConstructionFailure(_) => (ErrorClass::Invalid, None, innermost(&error)),
        _ => (ErrorClass::Other, None, innermost(&error)),
    };
    CloudError { class, operation: operation.to_owned(), code, message, request_id }
}

/// A request that the SDK would not build, because a field that it requires is missing.
pub(crate) fn not_built(operation: &'static str, error: BuildError) -> CloudError {
    own(operation, ErrorClass::Invalid, error.to_string())
}

/// An answer that lacks a field which AWS always sends.
pub(crate) fn answer_without(operation: &'static str, field: &str) -> CloudError {
    own(operation, ErrorClass::Other, format!("the answer has no {field}"))
}

/// A reference to something that is not made: the order of a plan does not allow it.
pub(crate) fn unresolved(operation: &'static str, reference: &str) -> CloudError {
    own(operation, ErrorClass::Invalid, format!("{reference} is referred to and does not exist"))
}

/// A physical thing that carries a name of the cluster's and belongs to somebody else.
pub(crate) fn foreign(operation: &'static str, id: &ResourceId, what: &str) -> CloudError {
    own(operation, ErrorClass::AlreadyExists, format!("{what} has the name of {id} and is not this cluster's"))
}

/// An error without an answer of AWS behind it.
pub(crate) fn own(operation: &'static str, class: ErrorClass, message: impl Into<String>) -> CloudError {
    CloudError { class, operation: operation.to_owned(), code: None, message: message.into(), request_id: None }
}

type Translation = (ErrorClass, Option<String>, String);

fn service<E: ProvideErrorMetadata + Error + 'static>(error: &E, status: u16) -> Translation {
    let message = error.message().map(readable);
    match error.code() {
        Some(code) => {
            let message = message.unwrap_or_else(|| format!("HTTP {status}"));
            (class_of(code, &message, status), Some(code.to_owned()), message)
        }
        // Answers to HEAD have no body, and a gateway in between answers in HTML: the status is all there is.
        None => (class_of_status(status), None, message.unwrap_or_else(|| format!("HTTP {status} without an error code"))),
    }
}

/// Class of an AWS error code. Codes differ by service and generation of the API; their words are the same everywhere.
fn class_of(code: &str, message: &str, status: u16) -> ErrorClass {
    // A profile takes seconds to be visible to EC2. RunInstances says InvalidParameterValue, Auto Scaling ValidationError.
    if message.contains("Invalid IAM Instance Profile") || message.contains("nvalid iamInstanceProfile") {
        return ErrorClass::NotYet;
    }
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "TooManyRequestsException"
        | "EC2ThrottledException"
        | "SlowDown" => return ErrorClass::Throttled,

        // EC2 says AuthFailure both for keys that it does not know and for things of other accounts.
        "AuthFailure" if !message.contains("credentials") => return ErrorClass::Denied,
        "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature" => return ErrorClass::Credentials,

        "UnauthorizedOperation" | "NotAuthorized" => return ErrorClass::Denied,

        // Of the account itself, which no permission changes.
        "OptInRequired" | "Blocked" => return ErrorClass::Other,

        "PriorRequestNotComplete"
        | "ConditionalRequestConflict"
        | "PreconditionFailed"
        | "OperationAborted"
        | "ConcurrentModification"
        | "ConcurrentTagAccess"
        | "ConcurrentModificationException" => return ErrorClass::Conflict,

        "DependencyViolation"
        | "DeleteConflict"
        | "ResourceInUse"
        | "ResourceInUseException"
        | "VolumeInUse"
        | "HostedZoneNotEmpty"
        | "BucketNotEmpty"
        | "ScalingActivityInProgress" => return ErrorClass::InUse,

        // The state of something that is on its way to another one.
        "IncorrectState" | "IncorrectInstanceState" | "InvalidState" => return ErrorClass::NotYet,

        // ELB says so of a security group that does not exist, or was made a moment ago.
        "InvalidSecurityGroup" => return ErrorClass::NotFound,

        // Detaching what is not attached.
        "Gateway.NotAttached" | "InvalidAttachment.NotFound" => return ErrorClass::NotFound,

        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "Unavailable"
        | "RequestTimeout"
        | "RequestTimeoutException" => return ErrorClass::Transport,

        "NotImplemented" | "OperationNotPermitted" => return ErrorClass::Invalid,
        _ => {}
    }
    if code.starts_with("AccessDenied") {
        return ErrorClass::Denied;
    }
    if code.ends_with("LimitExceeded")
        || code.ends_with("LimitExceededException")
        || code.contains("Quota")
        || code.starts_with("TooMany")
        || code == "MaxSpotInstanceCountExceeded"
    {
        return ErrorClass::Quota;
    }
    // DeleteNetworkInterface answers InvalidParameterValue while the interface is attached.
    if code.ends_with(".InUse") || message.contains("is currently in use") {
        return ErrorClass::InUse;
    }
    // Route 53: somebody changed the record between reading and deleting it.
    if is_general(code) && message.contains("do not match the current values") {
        return ErrorClass::Conflict;
    }
    // CreateNatGateway says so of a subnet that was made a moment ago, where every other call says InvalidSubnetID.NotFound.
    if code == "InvalidSubnet" && (message.contains("was not found") || message.contains("does not exist")) {
        return ErrorClass::NotFound;
    }
    // Auto Scaling has no code for a group that is not there, and Route 53 none for a record.
    if code.contains("NotFound") || code.starts_with("NoSuch") || (is_general(code) && message.contains("not found")) {
        return ErrorClass::NotFound;
    }
    if code.contains("AlreadyExists")
        || code.contains("AlreadyAssociated")
        || code.contains("AlreadyOwned")
        || code.contains("Duplicate")
        || code.ends_with("Conflict")
        || (is_general(code) && message.contains("already exists"))
    {
        return ErrorClass::AlreadyExists;
    }
    if is_general(code)
        || ["Invalid", "Malformed", "Missing", "Unsupported", "Unknown", "Illegal"].iter().any(|word| code.starts_with(word))
        || code.ends_with(".Malformed")
    {
        return ErrorClass::Invalid;
    }
    if status >= 500 { ErrorClass::Transport } else { ErrorClass::Other }
}

/// Codes that say no more than that something is wrong with the request.
fn is_general(code: &str) -> bool {
    matches!(code, "ValidationError" | "ValidationException" | "InvalidChangeBatch" | "InvalidInput")
}

fn class_of_status(status: u16) -> ErrorClass {
    match status {
        401 => ErrorClass::Credentials,
        403 => ErrorClass::Denied,
        404 => ErrorClass::NotFound,
        409 | 412 => ErrorClass::Conflict,
        429 => ErrorClass::Throttled,
        501 => ErrorClass::Invalid,
        500.. => ErrorClass::Transport,
        _ => ErrorClass::Other,
    }
}

/// A failure before there was an answer: of the connection, or of what comes before it.
fn connection(error: &ConnectorError) -> Translation {
    if let Some(message) = credentials(error) {
        return (ErrorClass::Credentials, None, message);
    }
    if never_connected(error) {
        return (ErrorClass::Unreachable, None, format!("the endpoint cannot be reached: {}", innermost(error)));
    }
    let message = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
    (ErrorClass::Transport, None, message)
}

/// Whether a connection failed before a request could be sent, so that it had no effect.
pub(crate) fn never_connected(error: &ConnectorError) -> bool {
    // The connector's own errors are private types; their texts are all there is to tell them apart.
    chain(error).any(|text| {
        ["(Connect)", "tcp connect error", "dns error", "failed to lookup", "HTTP connect timeout"]
            .iter()
            .any(|part| text.contains(part))
    })
}

/// The message for the operator, where the SDK has no credentials to sign with.
fn credentials(error: &ConnectorError) -> Option<String> {
    // What `CredentialsError` writes: its crate is not one of ours.
    // The instance's own role is the last place that is asked: a failure there means that there was nothing anywhere.
    if chain(error).any(|text| text == "the credential provider was not enabled" || text.contains("IMDS")) {
        return Some(NO_CREDENTIALS.to_owned());
    }
    let loading = chain(error).any(|text| {
        text.starts_with("credentials provider timed out")
            || text == "the credentials provider was not properly configured"
            || text == "an error occurred while loading credentials"
            || text == "unexpected credentials error"
    });
    loading.then(|| format!("the AWS credentials cannot be loaded: {}", innermost(error)))
}

/// Texts of an error and of what caused it, from the outside in.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = String> + 'a {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error.to_string())
    })
}

/// The first cause, which says most.
fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(|text| readable(&text)).unwrap_or_default()
}

/// One line, without the blob for `sts:DecodeAuthorizationMessage` that EC2 appends to refusals.
fn readable(message: &str) -> String {
    let message = message.split("Encoded authorization failure message:").next().unwrap_or(message);
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn answer(status: u16, code: Option<&str>, message: Option<&str>) -> CloudError {
        let mut raw = HttpResponse::new(StatusCode::try_from(status).expect("a status"), SdkBody::empty());
        raw.headers_mut().insert("x-amzn-requestid", "r-1");
        let mut error = ErrorMetadata::builder();
        if let Some(code) = code {
            error = error.code(code);
        }
        if let Some(message) = message {
            error = error.message(message);
        }
        translate("ec2:CreateVpc", SdkError::service_error(error.build(), raw))
    }

    #[test]
    fn codes_have_classes() {
        use ErrorClass::*;
        let cases = [
            (400, "InvalidVpcID.NotFound", "", NotFound),
            (400, "InvalidLaunchTemplateName.NotFoundException", "", NotFound),
            (400, "NatGatewayNotFound", "", NotFound),
            (400, "InvalidSubnet", "Subnet subnet-1 was not found", NotFound),
            (400, "InvalidSecurityGroup", "The specified security group does not exist.", NotFound),
            (400, "InvalidSubnet", "VPC vpc-1 has no internet gateway", Invalid),
            (400, "Gateway.NotAttached", "", NotFound),
            (400, "ParameterNotFound", "", NotFound),
            (400, "LoadBalancerNotFound", "", NotFound),
            (404, "NoSuchEntity", "", NotFound),
            (404, "NoSuchBucket", "", NotFound),
            (404, "NoSuchHostedZone", "", NotFound),
            (400, "ValidationError", "AutoScalingGroup name not found - null", NotFound),
            (
                400,
                "InvalidChangeBatch",
                "[Tried to delete resource record set [name='a.', type='A'] but it was not found]",
                NotFound,
            ),
            (409, "EntityAlreadyExists", "", AlreadyExists),
            (400, "InvalidGroup.Duplicate", "", AlreadyExists),
            (400, "InvalidPermission.Duplicate", "", AlreadyExists),
            (400, "DuplicateTargetGroupName", "", AlreadyExists),
            (400, "InvalidSubnet.Conflict", "", AlreadyExists),
            (400, "Resource.AlreadyAssociated", "", AlreadyExists),
            (409, "BucketAlreadyOwnedByYou", "", AlreadyExists),
            (400, "AlreadyExists", "AutoScalingGroup by this name already exists", AlreadyExists),
            (400, "DependencyViolation", "", InUse),
            (400, "ResourceInUse", "", InUse),
            (409, "DeleteConflict", "", InUse),
            (400, "InvalidIPAddress.InUse", "", InUse),
            (400, "VolumeInUse", "", InUse),
            (400, "InvalidParameterValue", "Network interface 'eni-1' is currently in use.", InUse),
            (
                400,
                "ValidationError",
                "You must use a valid fully-formed launch template. Value (x) for parameter iamInstanceProfile.name is invalid. \
                 Invalid IAM Instance Profile name",
                NotYet,
            ),
            (
                400,
                "InvalidParameterValue",
                "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
                NotYet,
            ),
            (400, "IncorrectState", "", NotYet),
            (400, "InvalidState", "", NotYet),
            (400, "ConcurrentTagAccess", "", Conflict),
            (400, "OptInRequired", "You are not subscribed to this service.", Other),
            (400, "Blocked", "Your account is currently blocked.", Other),
            (503, "RequestLimitExceeded", "", Throttled),
            (400, "Throttling", "Rate exceeded", Throttled),
            (400, "ThrottlingException", "", Throttled),
            (503, "SlowDown", "", Throttled),
            (403, "UnauthorizedOperation", "", Denied),
            (403, "AccessDenied", "", Denied),
            (400, "AccessDeniedException", "", Denied),
            (401, "AuthFailure", "You do not have permission to access the specified resource.", Denied),
            (401, "AuthFailure", "AWS was not able to validate the provided access credentials", Credentials),
            (403, "ExpiredToken", "", Credentials),
            (400, "ExpiredTokenException", "", Credentials),
            (400, "RequestExpired", "", Credentials),
            (403, "InvalidClientTokenId", "", Credentials),
            (403, "InvalidAccessKeyId", "", Credentials),
            (400, "UnrecognizedClientException", "", Credentials),
            (403, "SignatureDoesNotMatch", "", Credentials),
            (400, "VpcLimitExceeded", "", Quota),
            (400, "VcpuLimitExceeded", "", Quota),
            (409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000", Quota),
            (400, "TooManyTargetGroups", "", Quota),
            (400, "InvalidParameterValue", "", Invalid),
            (400, "InvalidAMIID.Malformed", "", Invalid),
            (400, "MissingParameter", "", Invalid),
            (400, "ValidationError", "1 validation error detected", Invalid),
            (400, "MalformedPolicyDocument", "", Invalid),
            (400, "OperationNotPermitted", "Load balancer cannot be deleted because deletion protection is enabled", Invalid),
            (400, "PriorRequestNotComplete", "", Conflict),
            (400, "InvalidChangeBatch", "but the values provided do not match the current values", Conflict),
            (409, "ConditionalRequestConflict", "", Conflict),
            (412, "PreconditionFailed", "", Conflict),
            (500, "InternalError", "", Transport),
            (503, "ServiceUnavailable", "", Transport),
            (500, "SomethingNew", "", Transport),
            (400, "InsufficientInstanceCapacity", "", Other),
        ];
        for (status, code, message, class) in cases {
            assert_eq!(answer(status, Some(code), Some(message)).class, class, "{code}: {message}");
        }
    }

    #[test]
    fn the_message_is_one_line_and_names_code_and_request() {
        let error = answer(
            403,
            Some("UnauthorizedOperation"),
            Some("You are not\n authorized. Encoded authorization failure message: AbCd"),
        );
        assert_eq!(error.to_string(), "ec2:CreateVpc: UnauthorizedOperation: You are not authorized (request id r-1)");
    }

    #[test]
    fn an_answer_without_a_code_is_told_by_its_status() {
        let cases =
            [(404, ErrorClass::NotFound), (403, ErrorClass::Denied), (412, ErrorClass::Conflict), (502, ErrorClass::Transport)];
        for (status, class) in cases {
            let error = answer(status, None, None);
            assert_eq!((error.class, error.message), (class, format!("HTTP {status} without an error code")));
        }
    }

    #[test]
    fn a_page_of_a_proxy_is_a_broken_answer() {
        let raw = HttpResponse::new(StatusCode::try_from(503).expect("a status"), SdkBody::from("<html>"));
        let error = translate("ec2:CreateVpc", SdkError::<ErrorMetadata, _>::response_error("no XML", raw));
        assert_eq!(error.class, ErrorClass::Transport);
        assert_eq!(error.message, "the answer (HTTP 503) cannot be read: no XML");
    }

    /// An error with a cause, as the connector and the credentials providers nest them.
    #[derive(Debug)]
    struct Nested(&'static str, Option<Box<Nested>>);

    impl std::fmt::Display for Nested {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Nested {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn nested(texts: &[&'static str]) -> Box<Nested> {
        let inner = texts.get(1..).filter(|rest| !rest.is_empty()).map(nested);
        Box::new(Nested(texts.first().copied().unwrap_or_default(), inner))
    }

    fn dispatch(error: ConnectorError) -> CloudError {
        translate("ec2:CreateVpc", SdkError::<ErrorMetadata, _>::dispatch_failure(error))
    }

    #[test]
    fn failures_before_an_answer_are_told_apart() {
        let refused =
            ConnectorError::io(nested(&["client error (Connect)", "tcp connect error", "Connection refused (os error 111)"]));
        let refused = dispatch(refused);
        assert_eq!(refused.class, ErrorClass::Unreachable);
        assert_eq!(refused.message, "the endpoint cannot be reached: Connection refused (os error 111)");
        let reset = dispatch(ConnectorError::io(nested(&["client error (SendRequest)", "connection reset by peer"])));
        assert_eq!((reset.class, reset.message.as_str()), (ErrorClass::Transport, "connection reset by peer"));
        let late = dispatch(ConnectorError::timeout(nested(&["HTTP read timeout occurred after 30s"])));
        assert_eq!((late.class, late.message.as_str()), (ErrorClass::Transport, "no answer in time"));
    }

    #[test]
    fn missing_credentials_come_with_advice() {
        let none = dispatch(ConnectorError::other(nested(&["the credential provider was not enabled", "no providers"]), None));
        assert_eq!((none.class, none.message.as_str()), (ErrorClass::Credentials, NO_CREDENTIALS));
        let refused = nested(&["an error occurred while loading credentials", "request forbidden: IMDS is disabled"]);
        assert_eq!(dispatch(ConnectorError::other(refused, None)).message, NO_CREDENTIALS);
        let broken = nested(&["an error occurred while loading credentials", "the SSO session has expired"]);
        let broken = dispatch(ConnectorError::other(broken, None));
        assert_eq!(broken.class, ErrorClass::Credentials);
        assert_eq!(broken.message, "the AWS credentials cannot be loaded: the SSO session has expired");
    }
}
