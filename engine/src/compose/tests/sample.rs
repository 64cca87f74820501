//! A value for each kind of key.

use serde_json::{Value, json};

use super::super::shape::{Key, Kind, Support};

/// A value that is not the default. Where a text has a syntax of its own, the key's path tells it.
pub fn sample(kind: &Kind, path: &str) -> Value {
    let own = [
        ("services.*.ports[].published", json!("8081")),
        ("ports[].host_ip", json!("127.0.0.1")),
        ("ports[].mode", json!("host")),
        ("ports[].protocol", json!("udp")),
        ("networks.*.ipv4_address", json!("10.0.0.9")),
        ("networks.*.ipv6_address", json!("::9")),
        ("link_local_ips", json!(["169.254.1.9"])),
        ("devices[].permissions", json!("r")),
        ("target", json!("/other")),
        ("count", json!("2")),
        ("network_mode", json!("none")),
        ("ipc", json!("host")),
        ("pid", json!("host")),
        ("platform", json!("linux/arm64")),
        ("platforms", json!(["linux/arm64"])),
        ("pull_policy", json!("always")),
        ("restart", json!("always")),
        ("depends_on.*.restart", json!(true)),
        ("expose", json!(["81"])),
        ("cpu_period", json!("50ms")),
        ("cpu_quota", json!("50ms")),
        ("cpu_rt_period", json!("50ms")),
        ("cpu_rt_runtime", json!("50ms")),
        ("healthcheck.test", json!("true")),
        ("healthcheck.retries", json!(7)),
        ("gpus", json!("all")),
        ("logging.options", json!({"a": "b"})),
        ("env_file[].path", json!("sample.env")),
        ("env_file", json!("sample.env")),
        ("label_file", json!(["sample.env"])),
        ("include[].path", json!(["included.yaml"])),
        ("include", json!(["included.yaml"])),
        ("include[].env_file", json!(["included.env"])),
        ("include[].project_directory", json!("elsewhere")),
        ("extends.file", json!("included.yaml")),
        ("volumes[].type", json!("tmpfs")),
        ("deploy.mode", json!("replicated")),
        ("bind.recursive", json!("disabled")),
        ("bind.create_host_path", json!(false)),
        ("ports[].target", json!(81)),
        ("watch[].action", json!("rebuild")),
        ("watch[].include", json!(["sample"])),
        ("depends_on.*.required", json!(false)),
        ("env_file[].required", json!(false)),
        ("links", json!(["other"])),
        ("external_links", json!(["other"])),
        ("volumes_from", json!(["other"])),
    ];
    let known = own
        .iter()
        .rev()
        .find(|(end, _)| path == *end || path.ends_with(&format!(".{end}")));
    if let Some((_, value)) = known {
        return value.clone();
    }
    match kind {
        Kind::Any | Kind::Text | Kind::Path | Kind::Context | Kind::Syntax(_) => json!("sample"),
        Kind::Bool => json!(true),
        Kind::Int { min, .. } => json!(min.max(&10)),
        Kind::Number => json!(1.5),
        Kind::Bytes { .. } => json!("10m"),
        Kind::Duration => json!("7s"),
        Kind::Mode => json!("0400"),
        Kind::Word(words) => json!(words.last()),
        Kind::List(inner) => json!([sample(inner, &format!("{path}[]"))]),
        Kind::Map(inner) => json!({"name": sample(inner, &format!("{path}.*"))}),
        Kind::Nullable(inner) => sample(inner, path),
        Kind::Form(form) => sample(&form.long, path),
        Kind::Object(object) => {
            let mut keys: Vec<_> = object.keys().filter(|key| key.required).collect();
            if keys.is_empty() {
                keys.extend(object.keys().find(|key| key.support == Support::Yes));
            }
            let value = |key: &Key| {
                let path = format!("{path}.{}", key.name);
                (key.name.to_owned(), sample(&key.kind, &path))
            };
            Value::Object(keys.into_iter().map(value).collect())
        }
    }
}
