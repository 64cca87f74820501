//! Ports: `[[HOST_IP:]HOST:]CONTAINER[/PROTOCOL]`, each of them one or a range.

use super::super::error::ComposeError;
use super::super::node::{Entry, Node, Value};
use super::super::read::Reader;
use super::super::syntax::port_range;

/// Writes each item out: a range becomes as many ports.
pub fn ports(reader: &mut Reader<'_>, node: Node) -> Result<Node, ComposeError> {
    let Value::Seq(items) = node.value else {
        return Err(reader
            .wrong_type(&node, "a list")
            .help("begin each port with `- `"));
    };
    let mut out = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        reader.within(format!("[{index}]"), |reader| match item.scalar() {
            Some(text) => {
                let ports = short(text, &item).ok_or_else(|| {
                    reader
                        .error(&item.span, format!("is no port: `{text}`"))
                        .help("write \"8080:80\", \"127.0.0.1:8080:80/udp\" or \"8000-8005:8000-8005\"")
                })?;
                out.extend(ports);
                Ok(())
            }
            None => {
                out.extend(long(reader, item)?);
                Ok(())
            }
        })?;
    }
    Ok(Node {
        value: Value::Seq(out),
        ..node
    })
}

/// The most ports that one item stands for: all of them.
fn short(text: &str, item: &Node) -> Option<Vec<Node>> {
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return None;
    }
    let (host, container) = match rest.rsplit_once(':') {
        Some((host, container)) => (Some(host), container),
        None => (None, rest),
    };
    let (address, published) = match host {
        None => (None, None),
        Some(host) => match host.rsplit_once(':') {
            Some((address, published)) => (Some(address), Some(published)),
            None => (None, Some(host)),
        },
    };
    // `[::1]:8080:80`, or the same without brackets.
    let address = address.map(bare);
    if let Some(address) = address {
        address.parse::<std::net::IpAddr>().ok()?;
    }
    let (first, last) = port_range(container)?;
    // `127.0.0.1::80` leaves the choice to the daemon, and so do `:80` and `0:80`.
    let published = published.filter(|text| !is_any(text));
    let range = match published {
        Some(text) => Some(port_range(text)?),
        None => None,
    };
    let port = |target: u16, published: Option<String>| {
        let text = |text: &str| Node::text(&item.span, text);
        let number = Node::new(&item.span, Value::Number(target.to_string()));
        let mut fields = vec![
            ("mode", text("ingress")),
            ("target", number),
            ("protocol", text(&protocol)),
        ];
        fields.extend(address.map(|address| ("host_ip", text(address))));
        fields.extend(published.map(|published| ("published", text(&published))));
        Node::map(&item.span, fields)
    };
    match range {
        None => Some((first..=last).map(|target| port(target, None)).collect()),
        // One of several ports of the host, whichever is free.
        Some((low, high)) if first == last && low < high => {
            Some(vec![port(first, Some(format!("{low}-{high}")))])
        }
        Some((low, high)) if high - low == last - first => Some(
            (first..=last)
                .map(|target| port(target, Some((low + (target - first)).to_string())))
                .collect(),
        ),
        Some(_) => None,
    }
}

/// Without the brackets that an IPv6 address may have.
fn bare(address: &str) -> &str {
    let inner = address.strip_prefix('[');
    inner
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(address)
}

/// True for no port, and for Docker's word for any.
fn is_any(published: &str) -> bool {
    published.bytes().all(|byte| byte == b'0')
}

fn long(reader: &Reader<'_>, mut item: Node) -> Result<Vec<Node>, ComposeError> {
    let text = |key: &str| item.get(key).and_then(Node::scalar).map(str::to_owned);
    let span = |key: &str| item.get(key).map_or(&item.span, |node| &node.span);
    if let Some(target) = text("target")
        && port_range(&target).is_none_or(|(first, last)| first != last)
    {
        let error = reader.error(span("target"), format!("has no port `{target}`"));
        return Err(error.help("a port is from 1 to 65535; only the short form has ranges"));
    }
    if let Some(published) = text("published")
        && !is_any(&published)
        && port_range(&published).is_none()
    {
        let error = reader.error(span("published"), format!("has no port `{published}`"));
        return Err(error.help("a port is from 1 to 65535, a range such as 8000-8010"));
    }
    let any = text("published").is_some_and(|published| is_any(&published));
    let at = item.span.clone();
    if let Some(map) = item.as_map_mut() {
        if any {
            map.shift_remove("published");
        }
        if let Some(entry) = map.get_mut("host_ip")
            && let Some(address) = entry.node.scalar()
        {
            entry.node.value = Value::Text(bare(address).to_owned());
        }
        for (key, value) in [("mode", "ingress"), ("protocol", "tcp")] {
            map.entry(key.into()).or_insert_with(|| Entry {
                key: at.clone(),
                node: Node::text(&at, value),
            });
        }
    }
    Ok(vec![item])
}

/// Address, ports and protocol: two items with the same are one. Without an address it is
/// `0.0.0.0`, as Compose has it.
pub fn identity(node: &Node) -> Option<String> {
    let part = |key: &str| node.get(key).and_then(Node::scalar).unwrap_or_default();
    let address = match part("host_ip") {
        "" => "0.0.0.0",
        address => address,
    };
    Some(format!(
        "{address}:{}:{}/{}",
        part("published"),
        part("target"),
        part("protocol")
    ))
}
