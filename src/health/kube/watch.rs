//! The API followed: nodes and pods that no node has are listed once and then watched, the rest is little enough to ask again.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use ::kube::api::{ListParams, WatchEvent};
use ::kube::core::Request;
use ::kube::core::params::WatchParams;
use ::kube::{Client, Error};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;

use crate::health::{KubeNode, KubernetesView, Pod, System};
use crate::pki::ClientCertificate;

use super::lists::{self, Listed, Node};
use super::pods::{self, PodObject};
use super::{Failure, Patience, Server, explain, patiently, system, workloads};

/// A watch of which nothing is heard for so long is broken, as one whose connection a firewall has forgotten: API servers send a
/// bookmark every minute.
const SILENCE: Duration = Duration::from_secs(90);

/// An API server that is looked at again and again.
pub struct Follower {
    url: String,
    name: Option<String>,
    ca: String,
    client: ClientCertificate,
    patience: Patience,
    /// After which a watch is broken.
    pub(super) silence: Duration,
    /// `None` until it has answered, and after it did not.
    clients: Option<Clients>,
    nodes: Watched<Node>,
    pending: Watched<PodObject>,
    looks: workloads::Looks,
    /// Version and system of the last look, where the API answered.
    answered: Option<(String, System)>,
}

struct Clients {
    asking: Client,
    /// A watch is silent for longer than an answer may be.
    watching: Client,
}

/// Objects by namespace and name, kept as they are by events.
struct Watched<O: Object> {
    items: BTreeMap<String, O::Item>,
    /// Up to where events were taken in; empty where it has to be listed first.
    version: String,
    /// `None` before the watch, and after its end.
    events: Option<Events<O>>,
}

type Events<O> = Pin<Box<dyn Stream<Item = Result<WatchEvent<O>, Error>> + Send>>;

/// What is watched.
trait Object: DeserializeOwned + Clone + Send + 'static {
    /// What is kept of it.
    type Item: PartialEq + Send + Sync;
    const PATH: &str;
    /// Which of them, by their fields.
    const CHOSEN: Option<&str>;

    fn key(&self) -> String;
    fn version(&self) -> String;
    /// `None` for one that is not looked at.
    fn read(self) -> Option<Self::Item>;
}

impl Object for Node {
    type Item = KubeNode;
    const PATH: &str = lists::NODES;
    const CHOSEN: Option<&str> = None;

    fn key(&self) -> String {
        self.key()
    }

    fn version(&self) -> String {
        self.version()
    }

    fn read(self) -> Option<KubeNode> {
        Some(self.into())
    }
}

impl Object for PodObject {
    type Item = Pod;
    const PATH: &str = pods::ALL_PODS;
    const CHOSEN: Option<&str> = Some(pods::PENDING);

    fn key(&self) -> String {
        self.key()
    }

    fn version(&self) -> String {
        self.version()
    }

    fn read(self) -> Option<Pod> {
        self.troubled()
    }
}

impl Follower {
    pub fn new(server: Server<'_>, patience: Patience) -> Self {
        Self {
            url: server.url.to_owned(),
            name: server.name.map(str::to_owned),
            ca: server.ca.to_owned(),
            client: server.client.clone(),
            patience,
            silence: SILENCE,
            clients: None,
            nodes: Watched::default(),
            pending: Watched::default(),
            looks: workloads::Looks::default(),
            answered: None,
        }
    }

    /// What the API says now. A watch that has ended goes on here, and no sooner: one that always ends at once costs a request a look.
    pub async fn view(&mut self) -> KubernetesView {
        let patience = self.patience;
        let failure = match tokio::time::timeout(patience.whole, self.ask()).await {
            Ok(Ok(answered)) => {
                self.answered = Some(answered);
                return self.watched().unwrap_or_else(|| unreachable!("it has answered"));
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Slow,
        };
        self.answered = None;
        // What was listed stays, and with new connections it is watched from there.
        (self.clients, self.nodes.events, self.pending.events) = (None, None, None);
        failure.into_view(self.url.clone(), patience)
    }

    async fn ask(&mut self) -> Result<(String, System), Failure> {
        let clients = match &mut self.clients {
            Some(clients) => clients,
            empty => {
                let server = Server { url: &self.url, name: self.name.as_deref(), ca: &self.ca, client: &self.client };
                let asking = super::connect(server, self.patience.connect(), self.patience.silence).await?;
                let watching = super::connect(server, self.patience.connect(), self.silence).await?;
                empty.insert(Clients { asking, watching })
            }
        };
        let watching = async { tokio::try_join!(self.nodes.go_on(clients), self.pending.go_on(clients)) };
        watching.await.map_err(|error| explain(&error))?;
        let client = &clients.asking;
        // Of what is pending the watch tells.
        let none = async { Ok(Vec::new()) };
        let (version, system) = tokio::join!(patiently(|| client.apiserver_version()), system(client, &mut self.looks, none));
        Ok((version.map_err(|error| explain(&error))?.git_version, system))
    }

    /// The nodes and pending pods of this moment, and the rest as it was at the last [`Self::view`].
    pub fn watched(&self) -> Option<KubernetesView> {
        let (version, system) = self.answered.clone()?;
        let pending = Ok(self.pending.items.values().cloned().collect());
        let nodes = self.nodes.items.values().cloned().collect();
        Some(KubernetesView::Reachable { address: self.url.clone(), version, nodes, system: System { pending, ..system } })
    }

    /// Waits until a node or a pending pod is other than it was; for ever where nothing is watched.
    pub async fn changed(&mut self) {
        loop {
            let changed = tokio::select! {
                changed = self.nodes.next() => changed,
                changed = self.pending.next() => changed,
            };
            if changed {
                return;
            }
        }
    }
}

impl<O: Object> Default for Watched<O> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), version: String::new(), events: None }
    }
}

impl<O: Object> Watched<O> {
    /// Takes the next event in: whether anything is other than it was. A kubelet tells its status again and again, and most of it is not
    /// looked at.
    async fn next(&mut self) -> bool {
        let Some(events) = &mut self.events else { return std::future::pending().await };
        match events.next().await {
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                self.version = object.version();
                let key = object.key();
                match object.read() {
                    Some(item) if self.items.get(&key) == Some(&item) => false,
                    Some(item) => {
                        self.items.insert(key, item);
                        true
                    }
                    None => self.items.remove(&key).is_some(),
                }
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                self.version = object.version();
                self.items.remove(&object.key()).is_some()
            }
            // Every minute, so that a watch of which nothing is heard can go on from there.
            Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                self.version = bookmark.metadata.resource_version;
                false
            }
            // 410 Expired: the API server does not know what happened since.
            Some(Ok(WatchEvent::Error(_))) => {
                (self.version, self.events) = (String::new(), None);
                false
            }
            Some(Err(_)) | None => {
                self.events = None;
                false
            }
        }
    }

    /// Watches on from where it ended, or from a new list.
    async fn go_on(&mut self, clients: &Clients) -> Result<(), Error> {
        if self.events.is_some() {
            return Ok(());
        }
        if !self.version.is_empty() {
            match events(&clients.watching, &self.version).await {
                Err(Error::Api(status)) if status.code == 410 => {}
                events => return events.map(|events| self.events = Some(events)),
            }
        }
        let mut params = ListParams::default();
        params.field_selector = O::CHOSEN.map(str::to_owned);
        let read = |object: O| Some((object.key(), object.read()?));
        let Listed { items, version } = lists::list(&clients.asking, O::PATH, params, read).await?;
        (self.items, self.version) = (items.into_iter().collect(), version);
        self.events = Some(events(&clients.watching, &self.version).await?);
        Ok(())
    }
}

async fn events<O: Object>(client: &Client, version: &str) -> Result<Events<O>, Error> {
    let params = WatchParams { field_selector: O::CHOSEN.map(str::to_owned), ..WatchParams::default() };
    let request = Request::new(O::PATH).watch(&params, version).map_err(Error::BuildRequest)?;
    Ok(Box::pin(patiently(|| client.request_events::<O>(request.clone())).await?))
}
