//! The request of an HTTP check: where it goes and what is sent.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use serde_json::Value;

use super::reason::{Miss, Reason, Short};
use crate::manifest::check::HttpRequest;

/// Where a URL points.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) tls: bool,
    /// A name or an address; IPv6 without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What the `Host` header says.
    authority: String,
    /// Path and query.
    origin: String,
}

fn invalid(evidence: String) -> Miss {
    Miss::new(Reason::Invalid, evidence)
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, Miss> {
        let uri: Uri = url.parse().map_err(|error| invalid(format!("{} is not a URL: {error}", Short(url))))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid(format!("{} is not a URL that begins with http:// or https://", Short(url)))),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| invalid(format!("{} names no host", Short(url))))?;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        if authority.contains('@') {
            return Err(invalid("the URL holds credentials: send them in an `Authorization` header".to_owned()));
        }
        let origin = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            tls,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority,
            // A query may follow the host at once; a request line needs a path.
            origin: if origin.starts_with('?') { format!("/{origin}") } else { origin.to_owned() },
        })
    }
}

/// The request as it is sent.
pub(super) fn build(request: &HttpRequest, target: &Target) -> Result<Request<Full<Bytes>>, Miss> {
    let method = request.method.as_deref().unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| invalid(format!("{} is not a method", Short(method))))?;
    let (body, json) = match &request.body {
        None => (Bytes::new(), false),
        Some(Value::String(text)) => (Bytes::from(text.clone()), false),
        Some(value) => (Bytes::from(value.to_string()), true),
    };
    let mut message = Request::new(Full::new(body));
    *message.method_mut() = method;
    *message.uri_mut() = target.origin.parse().map_err(|error| invalid(format!("{} is not a path: {error}", Short(&target.origin))))?;
    let headers = message.headers_mut();
    let authority = HeaderValue::from_str(&target.authority).map_err(|_| invalid(format!("{} is not a host", Short(&target.authority))))?;
    headers.insert(HOST, authority);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sculpt/", env!("CARGO_PKG_VERSION"))));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    if json {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &request.headers {
        let key: HeaderName = name.parse().map_err(|_| invalid(format!("{} is not the name of a header", Short(name))))?;
        // Never the value: it may be a secret.
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid(format!("the value of header {name} cannot be sent")))?;
        headers.insert(key, value);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_to_go() {
        let target = |url: &str| Target::parse(url).map(|t| (t.tls, t.host, t.port, t.origin)).map_err(|miss| miss.evidence);
        let is = |tls, host: &str, port, origin: &str| Ok((tls, host.to_owned(), port, origin.to_owned()));
        assert_eq!(target("http://a"), is(false, "a", 80, "/"));
        assert_eq!(target("https://a:8443/x?y=1#z"), is(true, "a", 8443, "/x?y=1"));
        assert_eq!(target("http://[::1]:80?q"), is(false, "::1", 80, "/?q"));
        for url in ["", "a", "/x", "a:80", "ftp://a", "http://", "http://a b", "http://:80/"] {
            assert!(target(url).is_err(), "{url}");
        }
        assert_eq!(target("http://u:secret@a/"), Err("the URL holds credentials: send them in an `Authorization` header".to_owned()));
    }

    #[test]
    fn secrets_in_headers_are_not_told() {
        let request = HttpRequest {
            url: "http://a".into(),
            headers: [("authorization".to_owned(), "hush\n".to_owned())].into_iter().collect(),
            ..HttpRequest::default()
        };
        let miss = build(&request, &Target::parse(&request.url).unwrap()).unwrap_err();
        assert_eq!(miss.evidence, "the value of header authorization cannot be sent");
    }
}
