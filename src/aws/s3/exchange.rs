//! What the SDK does not tell of a call: where it went, and the server's time.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// An interceptor that keeps what it sees of the last attempt.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange(Arc<Mutex<Seen>>);

#[derive(Debug, Clone, Default)]
struct Seen {
    tls: bool,
    date: Option<DateTime>,
}

impl Exchange {
    /// Whether the request was sent encrypted.
    pub fn tls(&self) -> bool {
        self.seen(|seen| seen.tls)
    }

    /// The server's time when it answered (header `Date`).
    pub fn date(&self) -> Option<DateTime> {
        self.seen(|seen| seen.date)
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let tls = context.request().uri().starts_with("https:");
        self.seen(|seen| seen.tls = tls);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        self.seen(|seen| seen.date = date);
        Ok(())
    }
}
