//! Elastic IPs and NAT gateways.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Address, ConnectivityType, DomainType, NatGatewayState, ResourceType};

use super::repeat::only_if_without_effect;
use super::tags;
use super::visible::{find_made, made_or_foreign, once_visible};
use crate::aws::error::{answer_without, translate};
use crate::aws::reference::resolve;
use crate::cloud::{CloudError, Creation, ErrorClass, Outputs, Physical, Readiness};
use crate::model::{ElasticIp, NatGateway, Tags};

pub(super) async fn create_elastic_ip(
    client: &Client,
    creation: &Creation<'_>,
    address: &ElasticIp,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:AllocateAddress";
    let interface = address.network_interface.as_ref();
    let interface = interface.map(|interface| resolve("ec2:AssociateAddress", outputs, interface)).transpose()?;
    let made = if creation.retry { find_made(|| find_elastic_ip(client, &address.tags)).await? } else { None };
    let physical = match made {
        Some(physical) => physical,
        None => {
            let specification = tags::specification(ResourceType::ElasticIp, &address.tags);
            let call = client.allocate_address().domain(DomainType::Vpc).tag_specifications(specification);
            let answer = call.customize().config_override(only_if_without_effect()).send().await;
            let answer = answer.map_err(|error| translate(OPERATION, error))?;
            physical_address(OPERATION, answer.allocation_id(), answer.public_ip())?
        }
    };
    if let Some(interface) = interface {
        once_visible(|| associate_address(client, &physical.id, &interface)).await?;
    }
    Ok(physical)
}

/// What others need of an address: its id, and the address itself.
pub(super) fn physical_address(
    operation: &'static str,
    allocation: Option<&str>,
    public: Option<&str>,
) -> Result<Physical, CloudError> {
    let mut physical = Physical::new(allocation.ok_or_else(|| answer_without(operation, "allocationId"))?);
    let public = public.ok_or_else(|| answer_without(operation, "publicIp"))?;
    physical.public_address = Some(public.parse().map_err(|_| answer_without(operation, "valid publicIp"))?);
    Ok(physical)
}

async fn find_elastic_ip(client: &Client, wanted: &Tags) -> Result<Option<Physical>, CloudError> {
    const OPERATION: &str = "ec2:DescribeAddresses";
    let call = client.describe_addresses().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    let physical = |address: &Address| physical_address(OPERATION, address.allocation_id(), address.public_ip());
    answer.addresses().first().map(physical).transpose()
}

/// Moves the address to the interface, wherever it was: that is what AWS does unless told otherwise.
async fn associate_address(client: &Client, id: &str, interface: &str) -> Result<(), CloudError> {
    let call = client.associate_address().allocation_id(id).network_interface_id(interface);
    call.send().await.map_err(|error| translate("ec2:AssociateAddress", error))?;
    Ok(())
}

/// Takes the address off the interface that has it, if any.
async fn disassociate_address(client: &Client, id: &str) -> Result<(), CloudError> {
    let call = client.describe_addresses().allocation_ids(id);
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeAddresses", error))?;
    if let Some(association) = answer.addresses().iter().find_map(Address::association_id) {
        let call = client.disassociate_address().association_id(association);
        call.send().await.map_err(|error| translate("ec2:DisassociateAddress", error))?;
    }
    Ok(())
}

pub(super) async fn update_elastic_ip(
    client: &Client,
    id: &str,
    observed: &ElasticIp,
    desired: &ElasticIp,
    outputs: &Outputs,
) -> Result<(), CloudError> {
    if observed.network_interface != desired.network_interface {
        match &desired.network_interface {
            Some(interface) => {
                associate_address(client, id, &resolve("ec2:AssociateAddress", outputs, interface)?).await?;
            }
            None => disassociate_address(client, id).await?,
        }
    }
    tags::update(client, id, &observed.tags, &desired.tags).await
}

pub(super) async fn delete_elastic_ip(client: &Client, id: &str, address: &ElasticIp) -> Result<(), CloudError> {
    // The address of a NAT gateway is released by the gateway's deletion.
    if address.network_interface.is_some() {
        match disassociate_address(client, id).await {
            // InvalidAssociationID.NotFound: the interface is gone meanwhile, and the association with it.
            Err(error) if error.class == ErrorClass::NotFound => {}
            result => result?,
        }
    }
    let call = client.release_address().allocation_id(id);
    call.send().await.map_err(|error| translate("ec2:ReleaseAddress", error))?;
    Ok(())
}

pub(super) async fn create_nat_gateway(
    client: &Client,
    creation: &Creation<'_>,
    gateway: &NatGateway,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateNatGateway";
    let call = client
        .create_nat_gateway()
        .client_token(creation.token)
        .connectivity_type(ConnectivityType::Public)
        .subnet_id(resolve(OPERATION, outputs, &gateway.subnet)?)
        .allocation_id(resolve(OPERATION, outputs, &gateway.address)?)
        .tag_specifications(tags::specification(ResourceType::Natgateway, &gateway.tags));
    let id = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer
            .nat_gateway
            .and_then(|gateway| gateway.nat_gateway_id)
            .ok_or_else(|| answer_without(OPERATION, "natGatewayId"))?,
        // Resource.AlreadyAssociated: the address belongs to a gateway, maybe to ours, made when the token was another.
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            // The address is the cluster's own, and nothing but this gateway has a use for it.
            made_or_foreign(error, || find_nat_gateway(client, &gateway.tags), async || Ok(false)).await?
        }
        Err(error) => return Err(error),
    };
    Ok(Physical::new(id))
}

async fn find_nat_gateway(client: &Client, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let mut filters = tags::of_resource(wanted);
    // Deleted gateways are listed for about an hour.
    let alive = aws_sdk_ec2::types::Filter::builder().name("state").values("pending").values("available").build();
    filters.push(alive);
    let call = client.describe_nat_gateways().set_filter(Some(filters));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeNatGateways", error))?;
    Ok(answer.nat_gateways.unwrap_or_default().into_iter().find_map(|gateway| gateway.nat_gateway_id))
}

pub(super) async fn delete_nat_gateway(client: &Client, id: &str) -> Result<(), CloudError> {
    let call = client.delete_nat_gateway().nat_gateway_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteNatGateway", error))?;
    Ok(())
}

/// State of a gateway and why it failed, if it did; `None` once AWS has forgotten it.
async fn nat_gateway_state(client: &Client, id: &str) -> Result<Option<(NatGatewayState, String)>, CloudError> {
    const OPERATION: &str = "ec2:DescribeNatGateways";
    let call = client.describe_nat_gateways().nat_gateway_ids(id);
    let answer = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(None),
        answer => answer?,
    };
    let Some(gateway) = answer.nat_gateways.unwrap_or_default().into_iter().next() else { return Ok(None) };
    let state = gateway.state.ok_or_else(|| answer_without(OPERATION, "state"))?;
    let reason = match (gateway.failure_code, gateway.failure_message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => String::new(),
    };
    Ok(Some((state, reason)))
}

pub(super) async fn nat_gateway_readiness(client: &Client, id: &str) -> Result<Readiness, CloudError> {
    Ok(match nat_gateway_state(client, id).await? {
        Some((NatGatewayState::Available, _)) => Readiness::Ready,
        Some((NatGatewayState::Failed, reason)) => Readiness::Failed(reason),
        Some((state @ (NatGatewayState::Deleting | NatGatewayState::Deleted), _)) => {
            Readiness::Failed(format!("NAT gateway {id} is {}", state.as_str()))
        }
        Some((state, _)) => Readiness::Pending(format!("NAT gateway {id} is {}", state.as_str())),
        // Made a moment ago, not visible everywhere.
        None => Readiness::Pending(format!("NAT gateway {id} is not visible yet")),
    })
}

pub(super) async fn is_nat_gateway_gone(client: &Client, id: &str) -> Result<bool, CloudError> {
    // One that failed never held anything; AWS lists it for about an hour.
    let gone =
        matches!(nat_gateway_state(client, id).await?, None | Some((NatGatewayState::Deleted | NatGatewayState::Failed, _)));
    Ok(gone)
}
