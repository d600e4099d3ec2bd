//! The API followed: nodes and pods that no node has are listed once and then watched, the rest is little enough to ask again.

use std::collections::BTreeMap;
use std::future;
use std::pin::Pin;
use std::time::Duration;

use ::kube::Client;
use ::kube::api::WatchEvent;
use ::kube::core::Request;
use ::kube::core::params::WatchParams;
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;

use crate::health::{KubeNode, KubernetesView, Pod};
use crate::pki::ClientCertificate;

use super::{CONNECT_TIMEOUT, Failure, Server, lists, pods, system};

/// An API server that is looked at again and again.
pub struct Follower {
    url: String,
    name: Option<String>,
    ca: String,
    client: ClientCertificate,
    timeout: Duration,
    /// `None` until it has answered, and after a watch has ended.
    watching: Option<Watching>,
}

struct Watching {
    client: Client,
    nodes: Watched<KubeNode>,
    pending: Watched<Pod>,
}

/// Objects by namespace and name, kept as they are by events.
struct Watched<T> {
    items: BTreeMap<String, T>,
    events: Pin<Box<dyn Stream<Item = Event<T>> + Send>>,
}

enum Event<T> {
    Is(String, T),
    IsNot(String),
    /// The watch is over: it has to be listed again.
    Over,
}

impl Follower {
    pub fn new(server: Server<'_>, timeout: Duration) -> Self {
        Self {
            url: server.url.to_owned(),
            name: server.name.map(str::to_owned),
            ca: server.ca.to_owned(),
            client: server.client.clone(),
            timeout,
            watching: None,
        }
    }

    /// What the API says now.
    pub async fn view(&mut self) -> KubernetesView {
        let address = self.url.clone();
        let timeout = self.timeout;
        let view = match tokio::time::timeout(timeout, self.ask()).await {
            Ok(Ok(view)) => return view,
            Ok(Err(Failure::Unreachable(reason))) => KubernetesView::Unreachable { address, reason },
            Ok(Err(Failure::Refused(reason))) => KubernetesView::Refused { address, reason },
            Err(_) => KubernetesView::Unreachable { address, reason: format!("no answer within {} s", timeout.as_secs()) },
        };
        self.watching = None;
        view
    }

    async fn ask(&mut self) -> Result<KubernetesView, Failure> {
        let watching = match &mut self.watching {
            Some(watching) => watching,
            empty => {
                let server = Server { url: &self.url, name: self.name.as_deref(), ca: &self.ca, client: &self.client };
                let client = super::connect(server, self.timeout.min(CONNECT_TIMEOUT)).await?;
                empty.insert(Watching::begin(client).await.map_err(|error| super::explain(&error))?)
            }
        };
        let client = &watching.client;
        let (version, system) = tokio::join!(
            client.apiserver_version(),
            system(client, async { Ok(watching.pending.items.values().cloned().collect()) })
        );
        let version = version.map_err(|error| super::explain(&error))?.git_version;
        let nodes = watching.nodes.items.values().cloned().collect();
        Ok(KubernetesView::Reachable { address: self.url.clone(), version, nodes, system })
    }

    /// Waits until something is other than it was; for ever where nothing is watched.
    pub async fn changed(&mut self) {
        let Some(watching) = &mut self.watching else { return future::pending().await };
        let over = tokio::select! {
            over = watching.nodes.next() => over,
            over = watching.pending.next() => over,
        };
        if over {
            self.watching = None;
        }
    }
}

impl Watching {
    async fn begin(client: Client) -> Result<Self, ::kube::Error> {
        let (nodes, pending) = tokio::try_join!(lists::nodes(&client), pods::listed_pending(&client))?;
        let node = |node: lists::Node| Some(KubeNode::from(node));
        let nodes = Watched {
            events: events(&client, lists::NODES, WatchParams::default(), &nodes.version, lists::Node::key, node).await?,
            items: nodes.items.into_iter().map(|node| (node.name.clone(), node)).collect(),
        };
        let chosen = WatchParams::default().fields(pods::PENDING);
        let pending = Watched {
            events: events(&client, pods::ALL_PODS, chosen, &pending.version, pods::PodObject::key, pods::PodObject::troubled)
                .await?,
            items: pending.items.into_iter().map(|pod| (format!("{}/{}", pod.namespace, pod.name), pod)).collect(),
        };
        Ok(Self { client, nodes, pending })
    }
}

impl<T> Watched<T> {
    /// Takes the next event in; true when the watch is over.
    async fn next(&mut self) -> bool {
        match self.events.next().await {
            Some(Event::Is(key, item)) => drop(self.items.insert(key, item)),
            Some(Event::IsNot(key)) => drop(self.items.remove(&key)),
            Some(Event::Over) | None => return true,
        }
        false
    }
}

async fn events<O, T>(
    client: &Client,
    path: &str,
    params: WatchParams,
    version: &str,
    key: fn(&O) -> String,
    read: fn(O) -> Option<T>,
) -> Result<Pin<Box<dyn Stream<Item = Event<T>> + Send>>, ::kube::Error>
where
    O: DeserializeOwned + Clone + Send + 'static,
    T: Send + 'static,
{
    let request = Request::new(path).watch(&params.disable_bookmarks(), version).map_err(::kube::Error::BuildRequest)?;
    let events = client.request_events::<O>(request).await?;
    Ok(Box::pin(events.map(move |event: Result<WatchEvent<O>, ::kube::Error>| match event {
        Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
            let key = key(&object);
            match read(object) {
                Some(item) => Event::Is(key, item),
                None => Event::IsNot(key),
            }
        }
        Ok(WatchEvent::Deleted(object)) => Event::IsNot(key(&object)),
        Ok(WatchEvent::Bookmark(_) | WatchEvent::Error(_)) | Err(_) => Event::Over,
    })))
}
