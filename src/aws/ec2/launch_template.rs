//! Launch templates. A changed template is a new version of it, made the default one.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{RequestLaunchTemplateData, ResourceType};
use sha2::{Digest as _, Sha256};

use super::{tags, template_data};
use crate::aws::error::{answer_without, foreign, translate};
use crate::cloud::{CloudError, Creation, ErrorClass, Outputs, Physical};
use crate::model::LaunchTemplate;
use crate::model::tags::ID;

pub(super) async fn create(
    client: &Client,
    creation: &Creation<'_>,
    template: &LaunchTemplate,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateLaunchTemplate";
    let call = client
        .create_launch_template()
        .client_token(creation.token)
        .launch_template_name(&template.name)
        .launch_template_data(template_data::request(OPERATION, template, outputs)?)
        .tag_specifications(tags::specification(ResourceType::LaunchTemplate, &template.tags));
    match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => {
            let id = answer.launch_template.and_then(|template| template.launch_template_id);
            id.map(Physical::new).ok_or_else(|| answer_without(OPERATION, "launchTemplateId"))
        }
        // InvalidLaunchTemplateName.AlreadyExistsException: one that observation did not show, because its instances carry
        // other tags or another profile. If it is ours it gets the desired content.
        Err(error) if error.class == ErrorClass::AlreadyExists => match find(client, template).await? {
            Some(id) => update(client, &id, template, outputs).await,
            None => Err(foreign(OPERATION, creation.id, &format!("launch template {}", template.name))),
        },
        Err(error) => Err(error),
    }
}

/// The id of the template of this name, if it has our tags.
async fn find(client: &Client, template: &LaunchTemplate) -> Result<Option<String>, CloudError> {
    let call = client.describe_launch_templates().launch_template_names(&template.name);
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeLaunchTemplates", error))?;
    let is_own = |tags: &crate::model::Tags| {
        let ownership = crate::model::tags::cluster("");
        let mut identity = template.tags.iter().filter(|(key, _)| *key == ID || key.starts_with(&ownership));
        identity.all(|(key, value)| tags.get(key) == Some(value))
    };
    let mut templates = answer.launch_templates.unwrap_or_default().into_iter();
    Ok(templates.find(|found| is_own(&tags::from_sdk(found.tags()))).and_then(|found| found.launch_template_id))
}

/// Makes a version of the desired content and then the default one of it. Repeated it does the same, in a later operation too: with
/// the same token AWS returns the version that was made, and did not become the default one.
pub(super) async fn update(
    client: &Client,
    id: &str,
    desired: &LaunchTemplate,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateLaunchTemplateVersion";
    let data = template_data::request(OPERATION, desired, outputs)?;
    let call = client
        .create_launch_template_version()
        .client_token(token_of_version(id, &data))
        .launch_template_id(id)
        .launch_template_data(data);
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    let version = answer.launch_template_version.and_then(|version| version.version_number);
    let version = version.ok_or_else(|| answer_without(OPERATION, "versionNumber"))?;
    let call = client.modify_launch_template().launch_template_id(id).default_version(version.to_string());
    call.send().await.map_err(|error| translate("ec2:ModifyLaunchTemplate", error))?;
    Ok(Physical::new(id))
}

/// `ClientToken`: the same for the same content of the same template. That versions are never deleted makes it right for all time.
fn token_of_version(id: &str, data: &RequestLaunchTemplateData) -> String {
    let mut hash = Sha256::new();
    // What `Debug` writes leaves user-data out, which the SDK takes for a secret.
    for part in [id, &format!("{data:?}"), data.user_data().unwrap_or_default()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(24).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) async fn delete(client: &Client, id: &str) -> Result<(), CloudError> {
    let call = client.delete_launch_template().launch_template_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteLaunchTemplate", error))?;
    Ok(())
}
