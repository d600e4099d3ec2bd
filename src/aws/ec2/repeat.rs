//! Calls that must not be sent twice.

use aws_sdk_ec2::config::Builder;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason};
use aws_smithy_types::retry::ErrorKind;

use crate::aws::error::never_connected;

/// Configuration of a call that has no `ClientToken` and whose result nothing makes unique (`CreateVpc`,
/// `CreateInternetGateway`, `AllocateAddress`): repeated after a lost answer, it would make a second one.
pub(super) fn only_if_without_effect() -> Builder {
    aws_sdk_ec2::config::Config::builder().retry_classifier(WithoutEffect)
}

/// Lets the SDK repeat only what had no effect: what EC2 throttled, and what could not be sent.
#[derive(Debug)]
struct WithoutEffect;

impl ClassifyRetry for WithoutEffect {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        self.classify_retry_v2(context, &RetryAction::NoActionIndicated)
    }

    fn classify_retry_v2(&self, context: &InterceptorContext, verdict: &RetryAction) -> RetryAction {
        let RetryAction::RetryIndicated(RetryReason::RetryableError { kind, .. }) = verdict else {
            return RetryAction::NoActionIndicated;
        };
        let unsent = match context.output_or_error() {
            Some(Err(error)) => error.as_connector_error().is_some_and(never_connected),
            Some(Ok(_)) | None => false,
        };
        if *kind == ErrorKind::ThrottlingError || unsent { RetryAction::NoActionIndicated } else { RetryAction::RetryForbidden }
    }

    fn name(&self) -> &'static str {
        "call without a client token"
    }

    /// After all others, whose verdict it restricts; that of the client itself runs one after the SDK's last.
    fn priority(&self) -> RetryClassifierPriority {
        let client = RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier());
        RetryClassifierPriority::run_after(client)
    }
}
