//! How the services are reached: credentials and region of the SDK's own environment, one HTTP client, retries and timeouts.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, SharedRetryClassifier,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::ErrorKind;
use aws_types::SdkConfig;

use super::Aws;
use super::error::{never_connected, own};
use super::fence::Fenced;
use crate::cloud::{CloudError, ErrorClass, Fence};

/// Attempts of one call, the first included. EC2's buckets refill with 5 tokens a second and Route 53 answers
/// `PriorRequestNotComplete` for as long as another change of the zone takes, so the SDK's own 3 attempts (about 3 s) give up on
/// what is a matter of half a minute.
const MAX_ATTEMPTS: u32 = 10;
const MAX_BACKOFF: Duration = Duration::from_secs(20);
const MAX_ATTEMPTS_VARIABLE: &str = "AWS_MAX_ATTEMPTS";

/// How CloudTrail knows kclust's calls: a part of the user agent, in which no slash is allowed.
const APP_NAME: &str = concat!("kclust-", env!("CARGO_PKG_VERSION"));

const CONNECT_TIMEOUT: Duration = Duration::from_millis(3100);
/// Until the first byte of an answer. The slowest calls (`DescribeInstances` of thousands, `RunInstances`) take some seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an endpoint may be out of reach before calls fail, and how often it is tried meanwhile.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(7);
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Through a proxy that the environment names, as the AWS CLI does it.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.proxy_config(ProxyConfig::from_env()).tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build()
    })
}

impl Aws {
    /// Sets up the clients. Nothing is sent but what the region or the credentials need.
    ///
    /// # Errors
    /// When there is no region, or a setting of the environment is not valid.
    pub async fn connect(region: Option<String>) -> Result<Self, CloudError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build());
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        // The SDK reads the variable only where nothing else is set, and panics when it cannot.
        match std::env::var(MAX_ATTEMPTS_VARIABLE) {
            Ok(attempts) if attempts.parse().is_ok_and(|attempts: u32| attempts > 0) => {}
            Ok(attempts) => {
                let message = format!("{MAX_ATTEMPTS_VARIABLE} is {attempts:?} and must be a number of at least 1");
                return Err(own("configuration", ErrorClass::Invalid, message));
            }
            Err(_) => {
                let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_max_backoff(MAX_BACKOFF);
                loader = loader.retry_config(retries);
            }
        }
        if let Ok(name) = AppName::new(APP_NAME) {
            loader = loader.app_name(name);
        }
        let config = loader.load().await;
        let Some(region) = config.region().map(ToString::to_string) else {
            let message = "no region is set: use --region, AWS_REGION or the profile's region";
            return Err(own("configuration", ErrorClass::Invalid, message));
        };
        Ok(Self::with(&config, region))
    }

    fn with(config: &SdkConfig, region: String) -> Self {
        let retries = SharedRetryClassifier::new(Reachability::default());
        let fence = Fence::default();
        macro_rules! client {
            ($service:ident) => {
                $service::Client::from_conf(
                    $service::config::Builder::from(config)
                        .retry_classifier(retries.clone())
                        .interceptor(Fenced(fence.clone()))
                        .build(),
                )
            };
        }
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .retry_classifier(retries.clone())
            .interceptor(Fenced(fence.clone()))
            .force_path_style(needs_path_style(config));
        Self {
            autoscaling: client!(aws_sdk_autoscaling),
            ec2: client!(aws_sdk_ec2),
            elb: client!(aws_sdk_elasticloadbalancing),
            elbv2: client!(aws_sdk_elasticloadbalancingv2),
            iam: client!(aws_sdk_iam),
            route53: client!(aws_sdk_route53),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            servicequotas: client!(aws_sdk_servicequotas),
            ssm: client!(aws_sdk_ssm),
            sts: client!(aws_sdk_sts),
            region,
            fence,
        }
    }
}

/// Whether buckets must be a part of the path, because `bucket.<host>` would not resolve.
fn needs_path_style(config: &SdkConfig) -> bool {
    let own = std::env::var("AWS_ENDPOINT_URL_S3").ok();
    own.as_deref().or(config.endpoint_url()).is_some_and(is_local)
}

fn is_local(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok()
}

/// Bounds the retries of connections that never came about: a wrong endpoint or a machine without a network shall fail in
/// seconds, where [`MAX_ATTEMPTS`] with their backoff would take minutes. A short outage is still ridden out; in a long one
/// each further call is tried once.
#[derive(Debug, Clone, Default)]
struct Reachability {
    /// When connecting first failed, with no answer from anywhere since.
    failing_since: Arc<Mutex<Option<Instant>>>,
}

impl ClassifyRetry for Reachability {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let mut failing_since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        if context.response().is_some() {
            *failing_since = None;
        }
        let connector = match context.output_or_error() {
            Some(Err(error)) => error.as_connector_error(),
            Some(Ok(_)) | None => None,
        };
        if !connector.is_some_and(never_connected) {
            return RetryAction::NoActionIndicated;
        }
        if failing_since.get_or_insert_with(Instant::now).elapsed() >= UNREACHABLE_AFTER {
            return RetryAction::RetryForbidden;
        }
        RetryAction::retryable_error_with_explicit_delay(ErrorKind::TransientError, RECONNECT_AFTER)
    }

    fn name(&self) -> &'static str {
        "endpoint out of reach"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::interceptors::context::Input;
    use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn attempt(error: &'static str) -> InterceptorContext {
        let mut context = InterceptorContext::new(Input::erase(()));
        context.set_output_or_error(Err(OrchestratorError::connector(ConnectorError::io(error.into()))));
        context
    }

    #[test]
    fn connecting_is_given_up_after_some_seconds_without_any_answer() {
        let reachability = Reachability::default();
        let refused = attempt("tcp connect error");
        let again = RetryAction::retryable_error_with_explicit_delay(ErrorKind::TransientError, RECONNECT_AFTER);
        assert_eq!(reachability.classify_retry(&refused), again);
        let long_ago = Instant::now().checked_sub(UNREACHABLE_AFTER);
        *reachability.failing_since.lock().expect("not poisoned") = long_ago;
        assert_eq!(reachability.classify_retry(&refused), RetryAction::RetryForbidden);
        // Any answer, whatever it says, is a sign of life.
        let mut answered = InterceptorContext::new(Input::erase(()));
        answered.set_response(HttpResponse::new(StatusCode::try_from(503).expect("a status"), SdkBody::empty()));
        assert_eq!(reachability.classify_retry(&answered), RetryAction::NoActionIndicated);
        assert_eq!(reachability.classify_retry(&refused), again);
    }

    #[test]
    fn what_breaks_after_connecting_is_left_to_the_sdk() {
        assert_eq!(Reachability::default().classify_retry(&attempt("connection reset")), RetryAction::NoActionIndicated);
    }

    #[test]
    fn the_name_in_the_user_agent_is_one_that_the_sdk_takes() {
        assert!(AppName::new(APP_NAME).is_ok());
    }

    #[test]
    fn buckets_of_local_endpoints_are_in_the_path() {
        for url in ["http://127.0.0.1:5000", "http://localhost:9000/", "https://[::1]:9000", "http://10.1.2.3/s3"] {
            assert!(is_local(url), "{url}");
        }
        for url in ["https://s3.example.com", "https://s3.us-east-1.amazonaws.com", "http://localhost.example.com:80"] {
            assert!(!is_local(url), "{url}");
        }
    }
}
