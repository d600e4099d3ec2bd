//! Key pairs, and the network interfaces of the slots.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{AttributeBooleanValue, AttributeValue, ResourceType};

use super::tags;
use super::visible::{find_made, made_or_foreign, once_visible};
use crate::aws::error::{answer_without, own, translate};
use crate::aws::reference::{resolve, resolve_all};
use crate::cloud::{CloudError, Creation, ErrorClass, Outputs, Physical};
use crate::model::tags::{GROUP, ID, cluster as tags_of_cluster};
use crate::model::{KeyPair, NetworkInterface, Tags};

pub(super) async fn create_key_pair(client: &Client, key_pair: &KeyPair) -> Result<Physical, CloudError> {
    let call = client
        .import_key_pair()
        .key_name(&key_pair.name)
        .public_key_material(Blob::new(key_pair.public_key.as_bytes()))
        .tag_specifications(tags::specification(ResourceType::KeyPair, &key_pair.tags));
    match call.send().await.map_err(|error| translate("ec2:ImportKeyPair", error)) {
        // InvalidKeyPair.Duplicate: its name holds a hash of the key, so one with our tags is the same.
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let find = async || {
                let found = find_key_pair(client, &key_pair.tags).await?;
                Ok(found.filter(|(name, _)| *name == key_pair.name))
            };
            let foreign = async || Ok(find_key_pair_id(client, &key_pair.name).await?.is_some());
            made_or_foreign(error, find, foreign).await?;
        }
        result => drop(result?),
    }
    Ok(Physical::new(&key_pair.name))
}

/// Name and id of the key pair with these tags.
async fn find_key_pair(client: &Client, wanted: &Tags) -> Result<Option<(String, String)>, CloudError> {
    let call = client.describe_key_pairs().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeKeyPairs", error))?;
    Ok(answer.key_pairs.unwrap_or_default().into_iter().find_map(|pair| Some((pair.key_name?, pair.key_pair_id?))))
}

async fn find_key_pair_id(client: &Client, name: &str) -> Result<Option<String>, CloudError> {
    let call = client.describe_key_pairs().filters(tags::filter("key-name", name));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeKeyPairs", error))?;
    Ok(answer.key_pairs.unwrap_or_default().into_iter().find_map(|pair| pair.key_pair_id))
}

pub(super) async fn update_key_pair(client: &Client, observed: &KeyPair, desired: &KeyPair) -> Result<(), CloudError> {
    const OPERATION: &str = "ec2:CreateTags";
    if observed.tags == desired.tags {
        return Ok(());
    }
    // Everything else takes the name of a key pair; tagging takes its id. Its tags may be what it lost.
    let id = find_key_pair_id(client, &observed.name)
        .await?
        .ok_or_else(|| own(OPERATION, ErrorClass::NotFound, format!("key pair {} is not there", desired.name)))?;
    tags::update(client, &id, &observed.tags, &desired.tags).await
}

pub(super) async fn delete_key_pair(client: &Client, name: &str) -> Result<(), CloudError> {
    client.delete_key_pair().key_name(name).send().await.map_err(|error| translate("ec2:DeleteKeyPair", error))?;
    Ok(())
}

pub(super) async fn create_interface(
    client: &Client,
    creation: &Creation<'_>,
    interface: &NetworkInterface,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateNetworkInterface";
    let call = client
        .create_network_interface()
        .client_token(creation.token)
        .subnet_id(resolve(OPERATION, outputs, &interface.subnet)?)
        .private_ip_address(interface.address.to_string())
        .set_groups(Some(resolve_all(OPERATION, outputs, &interface.security_groups)?))
        .description(&interface.description)
        .tag_specifications(tags::specification(ResourceType::NetworkInterface, &interface.tags));
    let id = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer
            .network_interface
            .and_then(|interface| interface.network_interface_id)
            .ok_or_else(|| answer_without(OPERATION, "networkInterfaceId"))?,
        // InvalidIPAddress.InUse: maybe by ours, made when the token was another.
        Err(error) if matches!(error.class, ErrorClass::InUse | ErrorClass::AlreadyExists) => {
            match find_made(|| find_interface(client, &interface.tags)).await? {
                Some(id) => id,
                None => adopt_interface(client, interface, outputs).await?.ok_or(error)?,
            }
        }
        Err(error) => return Err(error),
    };
    // AWS makes every interface with the check.
    if !interface.source_dest_check {
        once_visible(|| set_source_dest_check(client, &id, false)).await?;
    }
    Ok(Physical::new(id))
}

async fn find_interface(client: &Client, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let call = client.describe_network_interfaces().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeNetworkInterfaces", error))?;
    Ok(answer.network_interfaces.unwrap_or_default().into_iter().find_map(|interface| interface.network_interface_id))
}

/// Tags the slot's interface again when it lost the tag by which it is known: it has the address, and no other one can get it.
async fn adopt_interface(client: &Client, wanted: &NetworkInterface, outputs: &Outputs) -> Result<Option<String>, CloudError> {
    const OPERATION: &str = "ec2:DescribeNetworkInterfaces";
    let ownership = tags_of_cluster("");
    let identity = wanted.tags.iter().filter(|(key, _)| key.starts_with(&ownership));
    let mut filters: Vec<_> = identity.map(|(key, value)| tags::filter(format!("tag:{key}"), value)).collect();
    filters.push(tags::filter("subnet-id", resolve(OPERATION, outputs, &wanted.subnet)?));
    filters.push(tags::filter("private-ip-address", wanted.address.to_string()));
    let answer = client.describe_network_interfaces().set_filters(Some(filters)).send().await;
    let found = answer.map_err(|error| translate(OPERATION, error))?.network_interfaces.unwrap_or_default().into_iter().next();
    let Some(found) = found else { return Ok(None) };
    // Another slot's has an id, and a worker's that took the address has a group.
    let is_others = found.tag_set().iter().any(|tag| matches!(tag.key(), Some(ID | GROUP)));
    let (false, Some(id)) = (is_others, found.network_interface_id) else { return Ok(None) };
    tags::update(client, &id, &Tags::new(), &wanted.tags).await?;
    Ok(Some(id))
}

const MODIFY_INTERFACE: &str = "ec2:ModifyNetworkInterfaceAttribute";

async fn set_source_dest_check(client: &Client, id: &str, enabled: bool) -> Result<(), CloudError> {
    let value = AttributeBooleanValue::builder().value(enabled).build();
    let call = client.modify_network_interface_attribute().network_interface_id(id).source_dest_check(value);
    call.send().await.map_err(|error| translate(MODIFY_INTERFACE, error))?;
    Ok(())
}

/// AWS changes one attribute per call.
pub(super) async fn update_interface(
    client: &Client,
    id: &str,
    observed: &NetworkInterface,
    desired: &NetworkInterface,
    outputs: &Outputs,
) -> Result<(), CloudError> {
    if observed.security_groups != desired.security_groups {
        let groups = resolve_all(MODIFY_INTERFACE, outputs, &desired.security_groups)?;
        let call = client.modify_network_interface_attribute().network_interface_id(id).set_groups(Some(groups));
        call.send().await.map_err(|error| translate(MODIFY_INTERFACE, error))?;
    }
    if observed.description != desired.description {
        let value = AttributeValue::builder().value(&desired.description).build();
        let call = client.modify_network_interface_attribute().network_interface_id(id).description(value);
        call.send().await.map_err(|error| translate(MODIFY_INTERFACE, error))?;
    }
    if observed.source_dest_check != desired.source_dest_check {
        set_source_dest_check(client, id, desired.source_dest_check).await?;
    }
    tags::update(client, id, &observed.tags, &desired.tags).await
}

/// Fails with class `InUse` while an instance holds the interface: it is released when that instance is gone, and taking it
/// away from a running one is nobody's wish.
pub(super) async fn delete_interface(client: &Client, id: &str) -> Result<(), CloudError> {
    let call = client.delete_network_interface().network_interface_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteNetworkInterface", error))?;
    Ok(())
}
