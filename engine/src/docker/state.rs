//! Small values that are kept in the daemon: the labels of volumes that hold nothing else.
//!
//! Labels can't be changed, so what is to be kept becomes a new volume, and then the old one is
//! removed. The newest counts, so a process that ends in between leaves the new values.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};
use jiff::Timestamp;

use super::{Docker, DockerError};
use crate::app::{Name, hex};
use crate::plan::observed::label;

impl Docker {
    /// What is kept for a plugin of an app; nothing, if nothing ever was.
    pub async fn load_state(
        &self,
        app: &Name,
        plugin: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, DockerError> {
        let volumes = self.state_volumes(app, plugin).await?;
        let Some(newest) = volumes.last() else {
            return Ok(BTreeMap::new());
        };
        let text = newest.labels.get(label::STATE_VALUES);
        text.and_then(|text| decode(text))
            .ok_or_else(|| DockerError::Daemon {
                action: format!("read the state of plugin `{plugin}`"),
                status: None,
                message: format!("the labels of the volume {} are damaged", newest.name),
            })
    }

    /// Keeps this for a plugin of an app, instead of what was kept. For who holds the app's lock.
    pub async fn save_state(
        &self,
        app: &Name,
        plugin: &str,
        entries: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), DockerError> {
        let old = self.state_volumes(app, plugin).await?;
        if !entries.is_empty() {
            // Later than all that are there, whatever this machine's clock says.
            let next = old.last().map_or(0, |newest| newest.version + 1);
            let version = Timestamp::now().as_millisecond().max(next);
            let name = format!("{app}_rengine-state-{plugin}-{version}");
            let labels = HashMap::from([
                (label::APP.to_owned(), app.to_string()),
                (label::STATE.to_owned(), plugin.to_owned()),
                (label::STATE_VERSION.to_owned(), version.to_string()),
                (label::STATE_VALUES.to_owned(), encode(entries)),
            ]);
            let request = VolumeCreateRequest {
                name: Some(name.clone()),
                labels: Some(labels),
                ..VolumeCreateRequest::default()
            };
            let created = self.client().create_volume(request).await;
            created.map_err(|error| self.error(format!("create the volume {name}"), error))?;
        }
        for volume in old {
            let name = volume.name;
            let options = RemoveVolumeOptionsBuilder::new().build();
            let removed = self.client().remove_volume(&name, Some(options)).await;
            removed.map_err(|error| self.error(format!("remove the volume {name}"), error))?;
        }
        Ok(())
    }

    /// The volumes that hold a plugin's state, the newest last.
    async fn state_volumes(
        &self,
        app: &Name,
        plugin: &str,
    ) -> Result<Vec<StateVolume>, DockerError> {
        let filter = [
            format!("{}={app}", label::APP),
            format!("{}={plugin}", label::STATE),
        ];
        let filters = HashMap::from([("label", filter.to_vec())]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = self.client().list_volumes(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list volumes", error))?;
        let volumes = listed.volumes.unwrap_or_default().into_iter();
        // Podman gives all that have one of the labels.
        let own = |volume: &Volume| {
            let is = |key: &str, value: &str| volume.labels.get(key).is_some_and(|v| v == value);
            is(label::APP, app.as_str()) && is(label::STATE, plugin)
        };
        let volumes = volumes.filter(own);
        let mut volumes: Vec<_> = volumes.filter_map(StateVolume::from).collect();
        volumes.sort_by_key(|volume| volume.version);
        Ok(volumes)
    }
}

struct StateVolume {
    name: String,
    version: i64,
    labels: HashMap<String, String>,
}

impl StateVolume {
    fn from(volume: Volume) -> Option<Self> {
        let version = volume.labels.get(label::STATE_VERSION)?.parse().ok()?;
        Some(Self {
            name: volume.name,
            version,
            labels: volume.labels,
        })
    }
}

/// A JSON object whose values are texts as they are, and other bytes in hexadecimal.
fn encode(entries: &BTreeMap<String, Vec<u8>>) -> String {
    let value = |bytes: &Vec<u8>| match str::from_utf8(bytes) {
        Ok(text) => serde_json::json!(text),
        Err(_) => serde_json::json!({ "hex": hex(bytes) }),
    };
    let values: serde_json::Map<_, _> = entries
        .iter()
        .map(|(key, bytes)| (key.clone(), value(bytes)))
        .collect();
    serde_json::Value::Object(values).to_string()
}

fn decode(text: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let values: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let entry = |(key, value): (String, serde_json::Value)| {
        let bytes = match &value {
            serde_json::Value::String(text) => text.clone().into_bytes(),
            other => unhex(other.get("hex")?.as_str()?)?,
        };
        Some((key, bytes))
    };
    values.into_iter().map(entry).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let entries = BTreeMap::from([
            ("text".to_owned(), b"a \"b\"\n".to_vec()),
            ("bytes".to_owned(), vec![0xff, 0, 0x10]),
            (String::new(), Vec::new()),
        ]);
        let text = encode(&entries);
        assert_eq!(decode(&text), Some(entries), "{text}");
        for damaged in [
            "",
            "[]",
            "{\"a\":1}",
            "{\"a\":{\"hex\":\"f\"}}",
            "{\"a\":{\"hex\":\"+f\"}}x",
        ] {
            assert_eq!(decode(damaged), None, "{damaged}");
        }
    }
}
