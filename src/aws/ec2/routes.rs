//! Route tables, their routes and the subnets that use them.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::ResourceType;

use super::tags;
use crate::aws::error::{answer_without, own, translate};
use crate::aws::reference::resolve;
use crate::cloud::{CloudError, Creation, ErrorClass, Outputs, Physical};
use crate::model::{Route, RouteTable, RouteTableAssociation, RouteTarget};

pub(super) async fn create_route_table(
    client: &Client,
    creation: &Creation<'_>,
    table: &RouteTable,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateRouteTable";
    let call = client
        .create_route_table()
        .client_token(creation.token)
        .vpc_id(resolve(OPERATION, outputs, &table.vpc)?)
        .tag_specifications(tags::specification(ResourceType::RouteTable, &table.tags));
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    let id = answer.route_table.and_then(|table| table.route_table_id);
    id.map(Physical::new).ok_or_else(|| answer_without(OPERATION, "routeTableId"))
}

pub(super) async fn delete_route_table(client: &Client, id: &str) -> Result<(), CloudError> {
    let call = client.delete_route_table().route_table_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteRouteTable", error))?;
    Ok(())
}

/// Target of a route, as the calls take it: the internet gateway or the NAT gateway.
type Target = (Option<String>, Option<String>);

fn target(operation: &'static str, route: &Route, outputs: &Outputs) -> Result<Target, CloudError> {
    match &route.target {
        RouteTarget::InternetGateway(gateway) => Ok((Some(resolve(operation, outputs, gateway)?), None)),
        RouteTarget::NatGateway(gateway) => Ok((None, Some(resolve(operation, outputs, gateway)?))),
        RouteTarget::Other(target) => {
            Err(own(operation, ErrorClass::Invalid, format!("{target} is no target that kclust routes to")))
        }
    }
}

/// A route has no id of its own: table and destination identify it.
pub(super) fn route_id(table: &str, destination: &str) -> String {
    format!("{table}/{destination}")
}

pub(super) async fn create_route(client: &Client, route: &Route, outputs: &Outputs) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateRoute";
    let table = resolve(OPERATION, outputs, &route.table)?;
    let (internet_gateway, nat_gateway) = target(OPERATION, route, outputs)?;
    let call = client
        .create_route()
        .route_table_id(&table)
        .destination_cidr_block(route.destination.to_string())
        .set_gateway_id(internet_gateway)
        .set_nat_gateway_id(nat_gateway);
    match call.send().await.map_err(|error| translate(OPERATION, error)) {
        // The table is the cluster's, and so is what it says of this destination.
        Err(error) if error.class == ErrorClass::AlreadyExists => replace_route(client, route, outputs).await,
        result => result.map(|_| Physical::new(route_id(&table, &route.destination.to_string()))),
    }
}

pub(super) async fn replace_route(client: &Client, route: &Route, outputs: &Outputs) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:ReplaceRoute";
    let table = resolve(OPERATION, outputs, &route.table)?;
    let (internet_gateway, nat_gateway) = target(OPERATION, route, outputs)?;
    let call = client
        .replace_route()
        .route_table_id(&table)
        .destination_cidr_block(route.destination.to_string())
        .set_gateway_id(internet_gateway)
        .set_nat_gateway_id(nat_gateway);
    call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(Physical::new(route_id(&table, &route.destination.to_string())))
}

pub(super) async fn delete_route(client: &Client, id: &str) -> Result<(), CloudError> {
    const OPERATION: &str = "ec2:DeleteRoute";
    let Some((table, destination)) = id.split_once('/') else {
        return Err(own(OPERATION, ErrorClass::Invalid, format!("{id} is not the id of a route")));
    };
    let call = client.delete_route().route_table_id(table).destination_cidr_block(destination);
    call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(())
}

pub(super) async fn create_association(
    client: &Client,
    association: &RouteTableAssociation,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:AssociateRouteTable";
    let subnet = resolve(OPERATION, outputs, &association.subnet)?;
    let table = resolve(OPERATION, outputs, &association.table)?;
    let call = client.associate_route_table().route_table_id(&table).subnet_id(&subnet);
    match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => {
            let id = answer.association_id;
            id.map(Physical::new).ok_or_else(|| answer_without(OPERATION, "associationId"))
        }
        // Resource.AlreadyAssociated: by an attempt whose answer was lost, or with a table of somebody else's.
        Err(mut error) if error.class == ErrorClass::AlreadyExists => match find_association(client, &subnet).await? {
            Some((id, associated)) if associated == table => Ok(Physical::new(id)),
            Some((_, associated)) => {
                error.message = format!("{subnet} is associated with {associated}, which is not the cluster's");
                Err(error)
            }
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// The association of a subnet and its table.
async fn find_association(client: &Client, subnet: &str) -> Result<Option<(String, String)>, CloudError> {
    let call = client.describe_route_tables().filters(tags::filter("association.subnet-id", subnet));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeRouteTables", error))?;
    let mut associations = answer.route_tables.unwrap_or_default().into_iter().flat_map(|table| table.associations).flatten();
    let found = associations.find(|association| association.subnet_id() == Some(subnet));
    Ok(found.and_then(|found| Some((found.route_table_association_id?, found.route_table_id?))))
}

pub(super) async fn replace_association(
    client: &Client,
    id: &str,
    desired: &RouteTableAssociation,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:ReplaceRouteTableAssociation";
    let table = resolve(OPERATION, outputs, &desired.table)?;
    let call = client.replace_route_table_association().association_id(id).route_table_id(table);
    match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => {
            let id = answer.new_association_id;
            id.map(Physical::new).ok_or_else(|| answer_without(OPERATION, "newAssociationId"))
        }
        // A replaced association has a new id: the answer of an earlier attempt was lost.
        Err(error) if error.class == ErrorClass::NotFound => create_association(client, desired, outputs).await,
        Err(error) => Err(error),
    }
}

pub(super) async fn delete_association(client: &Client, id: &str) -> Result<(), CloudError> {
    let call = client.disassociate_route_table().association_id(id);
    call.send().await.map_err(|error| translate("ec2:DisassociateRouteTable", error))?;
    Ok(())
}
