//! [`Cluster`] → document, with every default filled in.

use super::cluster::{Addon, Cluster, Image, Purchase, VolumeSpec, Vpc};
use super::decode::{Entries, Spanned};
use super::raw::{
    API_VERSION, KIND, RawAddon, RawApi, RawAssets, RawBackups, RawCluster, RawControlPlane, RawDns, RawIam, RawMetadata,
    RawNetwork, RawNodeGroup, RawPurchase, RawSpec, RawSsh, RawSubnet, RawTaint, RawVolume,
};

/// The document that says all of `cluster` and depends on no default; loading it gives an equal cluster.
pub fn to_yaml(cluster: &Cluster) -> String {
    let document = RawCluster {
        api_version: text(API_VERSION),
        kind: text(KIND),
        metadata: Some(RawMetadata { name: text(&cluster.name) }),
        spec: Some(spec(cluster)),
    };
    // The document has only text keys, numbers and text, which YAML can always express; writing to a string cannot fail.
    let layout = serde_saphyr::ser_options! { compact_list_indent: false, folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(&document, layout).expect("a document of texts and numbers")
}

fn text(value: impl ToString) -> Option<Spanned<String>> {
    Some(value.to_string().into())
}

fn texts<T: ToString>(values: &[T]) -> Vec<Spanned<String>> {
    values.iter().map(|value| value.to_string().into()).collect()
}

fn spec(cluster: &Cluster) -> RawSpec {
    let Cluster {
        name: _,
        region,
        kubernetes_version,
        tags,
        network: _,
        api,
        dns,
        ssh,
        iam,
        control_plane,
        node_groups,
        addons,
        backups,
        assets,
    } = cluster;
    RawSpec {
        region: text(region),
        kubernetes_version: text(kubernetes_version),
        tags: entries(tags),
        network: Some(network(cluster)),
        api: Some(RawApi {
            endpoint: Some(api.endpoint.into()),
            scheme: Some(api.scheme.into()),
            allowed_cidrs: Some(texts(&api.allowed_cidrs)),
        }),
        dns: dns.as_ref().map(|dns| RawDns { zone: text(&dns.zone), visibility: Some(dns.visibility) }.into()),
        ssh: ssh.as_ref().map(|ssh| RawSsh { public_key: text(&ssh.public_key), allowed_cidrs: Some(texts(&ssh.allowed_cidrs)) }),
        iam: (iam.control_plane_profile.is_some() || iam.node_profile.is_some()).then(|| RawIam {
            control_plane_profile: iam.control_plane_profile.clone().map(Spanned::from),
            node_profile: iam.node_profile.clone().map(Spanned::from),
        }),
        control_plane: Some(RawControlPlane {
            replicas: Some(u32::from(control_plane.replicas).into()),
            instance_type: text(&control_plane.instance_type),
            image: image(&control_plane.image),
            root_volume: Some(volume(&control_plane.root_volume)),
            etcd_volume: Some(volume(&control_plane.etcd_volume)),
        }),
        node_groups: Some(node_groups.iter().map(node_group).collect()),
        addons: (!addons.is_empty()).then(|| addons.iter().map(addon).collect()),
        backups: Some(RawBackups { interval: text(backups.interval), retention: text(backups.retention) }),
        assets: (*assets != super::Assets::default()).then(|| RawAssets {
            files: assets.files.clone().map(Spanned::from),
            registries: (!assets.registries.is_empty()).then(|| {
                Entries(assets.registries.iter().map(|(host, mirrors)| (host.clone().into(), texts(mirrors))).collect())
            }),
            s3_endpoint: assets.s3_endpoint.clone().map(Spanned::from),
        }),
    }
}

fn entries(map: &std::collections::BTreeMap<String, String>) -> Option<Entries<Spanned<String>>> {
    (!map.is_empty()).then(|| Entries(map.iter().map(|(key, value)| (key.clone().into(), value.clone().into())).collect()))
}

fn network(cluster: &Cluster) -> RawNetwork {
    let network = &cluster.network;
    let (cidr, nat, vpc_id, subnets) = match &network.vpc {
        Vpc::Managed { cidr, nat } => (text(cidr), Some((*nat).into()), None, None),
        Vpc::Existing { id, subnets } => {
            let subnets: Vec<RawSubnet> = subnets
                .iter()
                .map(|subnet| RawSubnet { id: text(&subnet.id), zone: text(&subnet.zone), role: Some(subnet.role.into()) })
                .collect();
            (None, None, text(id), Some(subnets.into()))
        }
    };
    RawNetwork {
        cidr,
        vpc_id,
        subnets,
        topology: Some(network.topology.into()),
        zones: Some(texts(&network.zones).into()),
        nat,
        pod_cidr: text(network.pod_cidr),
        service_cidr: text(network.service_cidr),
        cni: Some(network.cni.into()),
    }
}

fn node_group(group: &super::NodeGroup) -> RawNodeGroup {
    RawNodeGroup {
        name: text(&group.name),
        min_size: Some(group.min_size.into()),
        max_size: Some(group.max_size.into()),
        instance_types: Some(texts(&group.instance_types).into()),
        purchase: match group.purchase {
            Purchase::OnDemand => None,
            Purchase::Mixed { on_demand_base, on_demand_percent_above_base, spot_allocation } => Some(RawPurchase {
                on_demand_base: Some(on_demand_base.into()),
                on_demand_percent_above_base: Some(u32::from(on_demand_percent_above_base).into()),
                spot_allocation: Some(spot_allocation),
            }),
        },
        image: image(&group.image),
        gpu: group.gpu.map(Spanned::from),
        root_volume: Some(volume(&group.root_volume)),
        labels: entries(&group.labels),
        taints: (!group.taints.is_empty()).then(|| {
            group
                .taints
                .iter()
                .map(|taint| RawTaint {
                    key: text(&taint.key),
                    value: taint.value.clone().map(Spanned::from),
                    effect: Some(taint.effect),
                })
                .collect()
        }),
        zones: Some(texts(&group.zones).into()),
    }
}

fn image(image: &Image) -> Option<Spanned<String>> {
    match image {
        Image::Default => None,
        Image::Id(id) => text(id),
        Image::Parameter(path) => text(format!("ssm:{path}")),
        Image::Name { owner, pattern } => text(format!("{owner}/{pattern}")),
    }
}

fn volume(volume: &VolumeSpec) -> RawVolume {
    RawVolume {
        size_gib: Some(volume.size_gib.into()),
        volume_type: Some(volume.volume_type.into()),
        iops: volume.iops.map(Spanned::from),
        throughput: volume.throughput.map(Spanned::from),
    }
}

fn addon(addon: &Addon) -> RawAddon {
    match addon {
        Addon::Preset(preset) => RawAddon { name: text(preset.as_str()), ..RawAddon::default() },
        Addon::Manifest { name, source, sha256 } => RawAddon {
            name: text(name),
            manifest: text(source),
            sha256: sha256.clone().map(Spanned::from),
            ..RawAddon::default()
        },
        Addon::Chart { name, namespace, repository, chart, version, values } => RawAddon {
            name: text(name),
            chart: text(chart),
            repository: text(repository),
            version: text(version),
            values: values.clone().map(Spanned::from),
            namespace: text(namespace),
            ..RawAddon::default()
        },
    }
}
