//! The proxy that the API is asked through: the one that kubectl, which is written in Go, would take (`golang.org/x/net/http/httpproxy`).

use std::error::Error;
use std::net::IpAddr;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// A proxy, and how it is told who asks.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// With user and password, where there are some.
    pub url: Uri,
    authorization: Option<HeaderValue>,
}

/// The proxy for an address; `None` where it is asked without one.
///
/// # Errors
/// When the one that the environment names cannot be used.
pub(super) fn proxy_for(url: &Uri) -> Result<Option<Proxy>, String> {
    let variable =
        |names: [&str; 2]| names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let Some(proxy) = variable(["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
    find(url, &proxy, &variable(["NO_PROXY", "no_proxy"]).unwrap_or_default())
}

fn find(url: &Uri, proxy: &str, no_proxy: &str) -> Result<Option<Proxy>, String> {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
        return Ok(None);
    }
    const ALLOWED: &str = "http://HOST:PORT and socks5://HOST:PORT are allowed";
    // Neither error repeats the value, which may hold a password.
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => "http",
        "socks5" | "socks5h" => "socks5",
        other => return Err(format!("HTTPS_PROXY names a proxy of the kind {other}://, which kclust cannot use; {ALLOWED}")),
    };
    let proxy = format!("{scheme}://{rest}");
    let unusable = || format!("HTTPS_PROXY does not name a proxy; {ALLOWED}");
    let parsed: Uri = proxy.parse().map_err(|_| unusable())?;
    if parsed.host().is_none_or(str::is_empty) {
        return Err(unusable());
    }
    let matched = Matcher::builder().https(proxy).no(no_proxy).build().intercept(url);
    Ok(matched.map(|matched| Proxy { url: parsed, authorization: matched.basic_auth().cloned() }))
}

impl Proxy {
    /// A connection through it.
    pub(super) async fn connect(&self, url: Uri) -> Result<TcpStream, Box<dyn Error + Send + Sync>> {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        if self.url.scheme_str() == Some("socks5") {
            return Ok(TokioIo::into_inner(SocksV5::new(self.url.clone(), direct).call(url).await?));
        }
        let mut tunnel = Tunnel::new(self.url.clone(), direct);
        if let Some(authorization) = &self.authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        Ok(TokioIo::into_inner(tunnel.call(url).await?))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn found(url: &str, proxy: &str, no_proxy: &str) -> Result<Option<String>, String> {
        let found = find(&url.parse().unwrap(), proxy, no_proxy)?;
        Ok(found.map(|proxy| proxy.url.to_string().trim_end_matches('/').to_owned()))
    }

    #[test]
    fn it_is_the_one_that_kubectl_takes() {
        let api = "https://api.prod.example.com:6443";
        for (proxy, url) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("proxy:3128", "http://proxy:3128"),
            ("http://user:pass@proxy:3128", "http://user:pass@proxy:3128"),
            ("SOCKS5://proxy:1080", "socks5://proxy:1080"),
            ("socks5h://proxy:1080", "socks5://proxy:1080"),
        ] {
            assert_eq!(found(api, proxy, ""), Ok(Some(url.to_owned())), "{proxy}");
        }
        for no_proxy in ["*", "example.com", "other.com, .example.com", "api.prod.example.com"] {
            assert_eq!(found(api, "http://proxy:3128", no_proxy), Ok(None), "{no_proxy}");
        }
        assert!(found(api, "http://proxy:3128", "other.com,10.0.0.0/8").unwrap().is_some());
        for local in ["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"] {
            assert_eq!(found(local, "http://proxy:3128", ""), Ok(None), "{local}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_without_its_password() {
        for proxy in ["https://user:secret@proxy:3128", "ftp://user:secret@proxy", "http://", "user:secret@ proxy"] {
            let error = found("https://api.example.com:6443", proxy, "").unwrap_err();
            assert!(error.contains("HTTPS_PROXY") && error.contains("http://HOST:PORT"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[tokio::test]
    async fn it_is_told_who_asks() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let length = connection.read(&mut head).await.unwrap();
            connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            String::from_utf8(head[..length].to_vec()).unwrap()
        };
        let api: Uri = "https://api.example.com:6443".parse().unwrap();
        let proxy = find(&api, &format!("http://user:p%40ss@{address}"), "").unwrap().unwrap();
        let (head, connected) = tokio::join!(serving, proxy.connect(api));
        connected.unwrap();
        assert!(head.starts_with("CONNECT api.example.com:6443 "), "{head}");
        // `user:p@ss`
        assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpwqhnz\r\n"), "{head}");
    }
}
