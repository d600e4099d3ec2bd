//! Logical identity: what a resource is called in plans, tags and references, before and after AWS gave it an id.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use super::resource::Kind;

/// Kind and name of a resource of one cluster. Written as the tag [`super::tags::ID`] when it is made, and matched by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    pub kind: Kind,
    pub name: String,
}

impl ResourceId {
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        Some(Self::new(Kind::parse(kind)?, name))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl serde::Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a resource id")))
    }
}

/// A resource struct that references can point at.
pub trait ResourceKind {
    const KIND: Kind;
}

/// A typed reference from one resource to another.
pub enum Ref<T> {
    /// A resource of this cluster, by its logical name; its physical id is known once it is made.
    Own(String, PhantomData<fn() -> T>),
    /// Something that is not the cluster's, by its physical id.
    Foreign(String),
    /// Nothing. Only observed resources have it: an internet gateway that somebody detached, for example.
    Nothing,
}

impl<T: ResourceKind> Ref<T> {
    pub fn own(name: impl Into<String>) -> Self {
        Self::Own(name.into(), PhantomData)
    }

    pub fn foreign(id: impl Into<String>) -> Self {
        Self::Foreign(id.into())
    }

    /// The logical id, when the reference points at a resource of the cluster.
    pub fn target(&self) -> Option<ResourceId> {
        match self {
            Self::Own(name, _) => Some(ResourceId::new(T::KIND, name.clone())),
            Self::Foreign(_) | Self::Nothing => None,
        }
    }

    fn key(&self) -> (u8, &str) {
        match self {
            Self::Own(name, _) => (0, name),
            Self::Foreign(id) => (1, id),
            Self::Nothing => (2, ""),
        }
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Own(name, marker) => Self::Own(name.clone(), *marker),
            Self::Foreign(id) => Self::Foreign(id.clone()),
            Self::Nothing => Self::Nothing,
        }
    }
}

impl<T: ResourceKind> PartialEq for Ref<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T: ResourceKind> Eq for Ref<T> {}

impl<T: ResourceKind> PartialOrd for Ref<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ResourceKind> Ord for Ref<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T: ResourceKind> Hash for Ref<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl<T: ResourceKind> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: ResourceKind> fmt::Display for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name, _) => write!(f, "{}/{name}", T::KIND),
            Self::Foreign(id) => f.write_str(id),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}
