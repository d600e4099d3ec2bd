//! Parameters of Systems Manager: where image ids are published.

use super::Aws;
use super::error::{answer_without, translate};
use crate::cloud::{CloudError, ErrorClass};

/// Value of a parameter; `None` where there is no such parameter.
pub(super) async fn parameter(aws: &Aws, path: &str) -> Result<Option<String>, CloudError> {
    const OPERATION: &str = "ssm:GetParameter";
    let answer = match aws.ssm.get_parameter().name(path).send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer,
        Err(error) if error.class == ErrorClass::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let value = answer.parameter.and_then(|parameter| parameter.value);
    value.map(Some).ok_or_else(|| answer_without(OPERATION, "Value"))
}
