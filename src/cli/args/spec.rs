//! The options of `create` that describe a cluster.

use clap::Args;

use crate::spec::{ClusterName, CreateFlags, Region};

/// The shorthand for a spec. What is not given has the default of the spec. Words are checked there too, all at once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options that describe the cluster, instead of a file")]
pub struct SpecArgs {
    /// Availability zones, such as us-east-1a,us-east-1b
    #[arg(long, value_name = "ZONE", value_delimiter = ',')]
    pub zones: Vec<String>,

    /// 1.35, 1.36 or 1.37, with or without a patch number
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<String>,

    /// Addresses of the nodes: public or private
    #[arg(long, value_name = "TOPOLOGY")]
    pub topology: Option<String>,

    /// Address range of the VPC, such as 10.0.0.0/16
    #[arg(long, value_name = "CIDR")]
    pub cidr: Option<String>,

    /// NAT gateways of a private topology: perZone or single
    #[arg(long, value_name = "NAT")]
    pub nat: Option<String>,

    /// Pod network to install: cilium, calico, flannel or none
    #[arg(long, value_name = "CNI")]
    pub cni: Option<String>,

    /// How the API is reached: loadBalancer or dns
    #[arg(long, value_name = "ENDPOINT")]
    pub endpoint: Option<String>,

    /// Addresses of the API endpoint: public or internal
    #[arg(long, value_name = "SCHEME")]
    pub scheme: Option<String>,

    /// Who may reach the API, such as 203.0.113.0/24
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub api_allowed_cidrs: Vec<String>,

    /// Route 53 zone that holds the API's name
    #[arg(long, value_name = "ZONE")]
    pub dns_zone: Option<String>,

    /// Kind of the Route 53 zone: public or private
    #[arg(long, value_name = "VISIBILITY")]
    pub dns_visibility: Option<String>,

    /// Public SSH key for the nodes: the line itself, not a file
    #[arg(long, value_name = "KEY")]
    pub ssh_public_key: Option<String>,

    /// Number of control planes: 1, 3, 5 or 7
    #[arg(long, value_name = "N")]
    pub control_plane_replicas: Option<u32>,

    /// Instance type of the control planes
    #[arg(long, value_name = "TYPE")]
    pub control_plane_type: Option<String>,

    /// Instance types of the workers, one or more
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub node_type: Vec<String>,

    /// Least number of workers
    #[arg(long, value_name = "N")]
    pub node_min: Option<u32>,

    /// Greatest number of workers
    #[arg(long, value_name = "N")]
    pub node_max: Option<u32>,

    /// Tag for every AWS resource; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
}

impl SpecArgs {
    /// The same, in the words of the spec.
    pub fn flags(&self, name: Option<&ClusterName>, region: Option<&Region>) -> CreateFlags {
        CreateFlags {
            name: name.map(ToString::to_string),
            region: region.map(ToString::to_string),
            zones: self.zones.clone(),
            kubernetes_version: self.kubernetes_version.clone(),
            topology: self.topology.clone(),
            cidr: self.cidr.clone(),
            nat: self.nat.clone(),
            cni: self.cni.clone(),
            endpoint: self.endpoint.clone(),
            scheme: self.scheme.clone(),
            api_allowed_cidrs: self.api_allowed_cidrs.clone(),
            dns_zone: self.dns_zone.clone(),
            dns_visibility: self.dns_visibility.clone(),
            ssh_public_key: self.ssh_public_key.clone(),
            control_plane_replicas: self.control_plane_replicas,
            control_plane_type: self.control_plane_type.clone(),
            node_type: self.node_type.clone(),
            node_min: self.node_min,
            node_max: self.node_max,
            tags: self.tags.clone(),
        }
    }
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it must be KEY=VALUE, such as team=platform".into()),
    }
}
