//! Nothing is sent once the fence is up, also not the repetitions that the SDK makes by itself.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::cloud::Fence;

/// An interceptor of every client.
#[derive(Debug, Clone)]
pub(super) struct Fenced(pub(super) Fence);

impl Intercept for Fenced {
    fn name(&self) -> &'static str {
        "fence"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match self.0.is_up() {
            true => Err("it was not sent: the lock of the cluster is lost".into()),
            false => Ok(()),
        }
    }
}
