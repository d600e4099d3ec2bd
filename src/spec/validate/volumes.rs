//! EBS volumes: the limits of CreateVolume for each type.

use crate::diag::Diagnostic;
use crate::spec::cluster::{VolumeSpec, VolumeType};
use crate::spec::decode::Spanned;
use crate::spec::raw::RawVolume;

/// What AWS allows for a volume type ("Amazon EBS volume types" in the EBS user guide). gp3 as raised in September 2025: 64 TiB,
/// 80,000 IOPS, 2,000 MiB/s.
struct Limits {
    smallest_gib: u32,
    largest_gib: u32,
    iops: Option<Iops>,
    throughput: Option<(u32, u32)>,
}

struct Iops {
    least: u32,
    most: u32,
    per_gib: u32,
    required: bool,
}

fn limits(volume_type: VolumeType) -> Limits {
    let iops = |least, most, per_gib, required| Some(Iops { least, most, per_gib, required });
    match volume_type {
        VolumeType::Gp3 => {
            Limits { smallest_gib: 1, largest_gib: 65_536, iops: iops(3_000, 80_000, 500, false), throughput: Some((125, 2_000)) }
        }
        VolumeType::Gp2 => Limits { smallest_gib: 1, largest_gib: 16_384, iops: None, throughput: None },
        VolumeType::Io1 => Limits { smallest_gib: 4, largest_gib: 16_384, iops: iops(100, 64_000, 50, true), throughput: None },
        VolumeType::Io2 => {
            Limits { smallest_gib: 4, largest_gib: 65_536, iops: iops(100, 256_000, 1_000, true), throughput: None }
        }
    }
}

/// What a volume is for: its default size and the least that its content needs.
#[derive(Clone, Copy)]
pub(super) struct Purpose<'a> {
    pub path: &'a str,
    pub default_gib: u32,
    pub least_gib: u32,
    pub why: &'static str,
}

pub(super) fn volume(raw: Option<&RawVolume>, purpose: Purpose<'_>, found: &mut Vec<Diagnostic>) -> Option<VolumeSpec> {
    let nothing = RawVolume::default();
    let raw = raw.unwrap_or(&nothing);
    let before = found.len();
    let path = purpose.path;
    let volume_type = raw.volume_type.as_ref().map_or(VolumeType::Gp3, |volume_type| volume_type.value);
    let (word, limits) = (volume_type.as_str(), limits(volume_type));
    let size = raw.size_gib.as_ref().map_or(purpose.default_gib, |size| size.value);

    if let Some(given) = &raw.size_gib {
        if size < purpose.least_gib.max(limits.smallest_gib) {
            let message = format!("`{path}.sizeGiB` must be at least {}: {}", purpose.least_gib, purpose.why);
            found.push(Diagnostic::error(given.span.clone(), message));
        } else if size > limits.largest_gib {
            let message = format!("`{path}.sizeGiB` must be at most {} for {word}", limits.largest_gib);
            found.push(Diagnostic::error(given.span.clone(), message));
        }
    }
    match (&raw.iops, &limits.iops) {
        (Some(iops), None) => {
            let message = format!("`{path}.iops` cannot be set for {word}; it can for gp3, io1 and io2");
            found.push(Diagnostic::error(iops.span.clone(), message));
        }
        (Some(iops), Some(allowed)) => iops_fit(iops, allowed, size, &purpose, word, found),
        (None, Some(Iops { required: true, .. })) => {
            if let Some(volume_type) = &raw.volume_type {
                found.push(Diagnostic::error(volume_type.span.clone(), format!("a volume of type {word} needs `iops`")));
            }
        }
        (None, _) => {}
    }
    match (&raw.throughput, limits.throughput) {
        (Some(throughput), None) => {
            let message = format!("`{path}.throughput` cannot be set for {word}; it can for gp3");
            found.push(Diagnostic::error(throughput.span.clone(), message));
        }
        (Some(throughput), Some((least, most))) => {
            // A gp3 volume has a quarter MiB/s for each of its IOPS at most.
            let iops = raw.iops.as_ref().map_or(3_000, |iops| iops.value);
            if !(least..=most).contains(&throughput.value) {
                let message = format!("`{path}.throughput` must be from {least} to {most} MiB/s");
                found.push(Diagnostic::error(throughput.span.clone(), message));
            } else if throughput.value > iops / 4 {
                let message = format!("`{path}.throughput` must be at most {} MiB/s with {iops} IOPS", iops / 4);
                found.push(
                    Diagnostic::error(throughput.span.clone(), message)
                        .help(format!("this throughput needs `iops: {}`", throughput.value * 4)),
                );
            }
        }
        (None, _) => {}
    }
    (found.len() == before).then(|| VolumeSpec {
        size_gib: size,
        volume_type,
        iops: raw.iops.as_ref().map(|iops| iops.value),
        throughput: raw.throughput.as_ref().map(|throughput| throughput.value),
    })
}

fn iops_fit(iops: &Spanned<u32>, allowed: &Iops, size: u32, purpose: &Purpose<'_>, word: &str, found: &mut Vec<Diagnostic>) {
    let path = purpose.path;
    // AWS gives every gp3 volume its 3,000, however small.
    let by_size = size.saturating_mul(allowed.per_gib).max(allowed.least);
    if !(allowed.least..=allowed.most).contains(&iops.value) {
        let message = format!("`{path}.iops` must be from {} to {} for {word}", allowed.least, allowed.most);
        found.push(Diagnostic::error(iops.span.clone(), message));
    } else if iops.value > by_size {
        let message = format!("`{path}.iops` must be at most {by_size} for {word} of {size} GiB ({} per GiB)", allowed.per_gib);
        found.push(Diagnostic::error(iops.span.clone(), message));
    }
}
