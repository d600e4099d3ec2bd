//! Who neither listens nor reads.

use async_trait::async_trait;

use crate::apply::{Event, Observer};
use crate::ops::ManifestReader;

pub struct Nobody;

impl Observer for Nobody {
    fn on(&self, _event: Event<'_>) {}
}

#[async_trait]
impl ManifestReader for Nobody {
    async fn read(&self, source: &str) -> Result<Vec<u8>, String> {
        Err(format!("nobody reads {source}"))
    }
}
