//! From the merged tree to the typed project: profiles, environment files, names and defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::Deserialize;

use super::check;
use super::de::from_node;
use super::dotenv::Format;
use super::error::{ComposeError, Problem};
use super::files::{Files, is_env_file};
use super::find::Setting;
use super::forms::mounts::secret_path;
use super::interpolate::{Environment, read_variables};
use super::model::{
    Condition, Config, Container, Dependency, FileMount, Model, Namespace, Network, Project,
    Secret, Service, Volume,
};
use super::node::{Entry, Node, Value};
use super::required;
use super::shape::{Kind, PROJECT};
use super::support;
use super::syntax::volumes_owner;

type Result<T> = std::result::Result<T, ComposeError>;

/// The network that services are on where they name none.
const DEFAULT_NETWORK: &str = "default";

/// Makes a project of the merged tree of its files.
pub fn assemble(
    mut tree: Node,
    setting: Setting,
    paths: Vec<PathBuf>,
    files: &Files,
) -> Result<Project> {
    let Setting {
        dir,
        name,
        profiles: active,
        environment,
        mut warnings,
        notes,
    } = setting;
    warnings.extend(
        notes
            .iter()
            .map(|note| Problem::new(&tree.span, note, None)),
    );
    let (inactive, profiles) = select(&mut tree, &active);
    required::required(&tree, &Kind::Object(&PROJECT), "")?;
    let mut services = IndexMap::new();
    for (key, node) in section(&tree, "services") {
        let service = service(node, &environment, files, &mut warnings)?;
        services.insert(key.clone(), service);
    }
    for service in services.values_mut() {
        complete(service, &inactive);
    }
    let mut project = Project {
        networks: all(&tree, "networks")?,
        volumes: all(&tree, "volumes")?,
        secrets: all(&tree, "secrets")?,
        configs: all(&tree, "configs")?,
        models: all(&tree, "models")?,
        extensions: extensions(&tree)?,
        refused: Vec::new(),
        files: paths,
        name,
        dir,
        services,
        inactive,
        profiles,
        warnings,
        tree,
        environment,
    };
    name_resources(&mut project);
    check::check(&project)?;
    drop_unused_networks(&mut project);
    support::tell(&mut project);
    Ok(project)
}

/// The entries of a section at the top.
fn section<'a>(tree: &'a Node, name: &str) -> impl Iterator<Item = (&'a String, &'a Node)> {
    let map = tree.get(name).and_then(Node::as_map);
    map.into_iter()
        .flatten()
        .map(|(key, entry)| (key, &entry.node))
}

/// A section at the top as a typed one; what has nothing in it has the defaults.
fn all<'de, T: Deserialize<'de> + Default>(
    tree: &'de Node,
    name: &str,
) -> Result<IndexMap<String, T>> {
    section(tree, name)
        .map(|(key, node)| {
            let value = match node.value.is_null() {
                true => T::default(),
                false => from_node(node)?,
            };
            Ok((key.clone(), value))
        })
        .collect()
}

fn extensions(node: &Node) -> Result<BTreeMap<String, serde_json::Value>> {
    let map = node.as_map().into_iter().flatten();
    let own = map.filter(|(key, _)| key.starts_with("x-"));
    own.map(|(key, entry)| Ok((key.clone(), from_node(&entry.node)?)))
        .collect()
}

/// Takes services out that no active profile has; tells their names, and all profiles.
fn select(tree: &mut Node, active: &[String]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut inactive = BTreeSet::new();
    let mut known = BTreeSet::new();
    let services = tree.as_map_mut().and_then(|map| map.get_mut("services"));
    let Some(services) = services.and_then(|entry| entry.node.as_map_mut()) else {
        return (inactive, known);
    };
    let all = active.iter().any(|profile| profile == "*");
    services.retain(|name, entry| {
        let profiles = entry
            .node
            .get("profiles")
            .and_then(Node::as_seq)
            .unwrap_or_default();
        let profiles: Vec<_> = profiles.iter().filter_map(Node::scalar).collect();
        known.extend(profiles.iter().map(|&profile| profile.to_owned()));
        let runs = all
            || profiles.is_empty()
            || profiles
                .iter()
                .any(|profile| active.iter().any(|active| active == profile));
        if !runs {
            inactive.insert(name.clone());
        }
        runs
    });
    (inactive, known)
}

/// A service with what its environment files say.
fn service(
    node: &Node,
    environment: &Environment,
    files: &Files,
    warnings: &mut Vec<Problem>,
) -> Result<Service> {
    let mut service: Service = from_node(node)?;
    service.container = container(node, environment, files, warnings)?;
    service.extensions = extensions(node)?;
    let steps = node
        .get("pre_start")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    for (step, node) in service.pre_start.iter_mut().zip(steps) {
        step.container = container(node, environment, files, warnings)?;
        if step.container.image.is_none() {
            step.container.image.clone_from(&service.container.image);
        }
    }
    if let Some(build) = &mut service.build {
        // A variable that the environment does not have is no argument at all.
        resolve(&mut build.args, environment);
        build.args.retain(|_, value| value.is_some());
    }
    for hook in service.post_start.iter_mut().chain(&mut service.pre_stop) {
        resolve(&mut hook.environment, environment);
    }
    Ok(service)
}

/// Gives variables without a value that of the environment.
fn resolve(variables: &mut BTreeMap<String, Option<String>>, environment: &Environment) {
    for (name, value) in variables.iter_mut().filter(|(_, value)| value.is_none()) {
        *value = environment.get(name).map(str::to_owned);
    }
}

fn container(
    node: &Node,
    environment: &Environment,
    files: &Files,
    warnings: &mut Vec<Problem>,
) -> Result<Container> {
    let mut container: Container = from_node(node)?;
    resolve(&mut container.environment, environment);
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let spans = node
        .get("env_file")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    for (file, at) in std::mem::take(&mut container.env_file).iter().zip(spans) {
        if file.required == Some(false) && !file.path.exists() {
            continue;
        }
        if !is_env_file(&file.path) {
            let message = format!("there is no file {}", file.path.display());
            return Err(ComposeError::at(&at.span, message)
                .help("make it, or write `required: false` where it may be missing"));
        }
        let format = match file.format {
            Some(_) => Format::Raw,
            None => Format::Compose,
        };
        let own = &container.environment;
        let outer = |name: &str| {
            let own = || own.get(name).and_then(Option::as_deref);
            let earlier = || variables.get(name).map(String::as_str);
            environment.get(name).or_else(own).or_else(earlier)
        };
        let read = read_variables(files, &file.path, format, outer, warnings)?;
        variables.extend(read);
    }
    for (name, value) in variables {
        container.environment.entry(name).or_insert(Some(value));
    }
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    let spans = node
        .get("label_file")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    for (path, at) in std::mem::take(&mut container.label_file).iter().zip(spans) {
        if !is_env_file(path) {
            let message = format!("there is no file {}", path.display());
            return Err(ComposeError::at(&at.span, message));
        }
        let earlier = |name: &str| labels.get(name).map(String::as_str);
        let outer = |name: &str| environment.get(name).or_else(|| earlier(name));
        let read = read_variables(files, path, Format::Compose, outer, warnings)?;
        labels.extend(read);
    }
    labels.append(&mut container.labels);
    container.labels = labels;
    for secret in &mut container.secrets {
        let target = match secret.target.as_str() {
            "" => &secret.source,
            target => target,
        };
        secret.target = secret_path(target);
    }
    for config in container
        .configs
        .iter_mut()
        .filter(|config| config.target.is_empty())
    {
        config.target = format!("/{}", config.source);
    }
    Ok(container)
}

/// What follows from what a service says.
fn complete(service: &mut Service, inactive: &BTreeSet<String>) {
    if let Some(build) = &mut service.build {
        if build.dockerfile.is_none() && build.dockerfile_inline.is_none() {
            build.dockerfile = Some("Dockerfile".into());
        }
        let unnamed = |secret: &&mut FileMount| secret.target.is_empty();
        for secret in build.secrets.iter_mut().filter(unnamed) {
            secret.target.clone_from(&secret.source);
        }
    }
    let container = &mut service.container;
    let alone = container.network_mode.is_some() || service.provider.is_some();
    if container.networks.is_empty() && !alone {
        container.networks.insert(DEFAULT_NETWORK.into(), None);
    }
    // Whose network, processes, names or volumes a service uses, that it needs.
    let namespaces = [&container.network_mode, &container.ipc, &container.pid];
    let shared = namespaces
        .into_iter()
        .flatten()
        .filter_map(|mode| match mode {
            Namespace::Service(name) => Some((name.clone(), true)),
            _ => None,
        });
    let link = |text: &String| (text.split(':').next().unwrap_or(text).to_owned(), true);
    let volumes = |text: &String| match volumes_owner(text) {
        (true, ..) => None,
        (false, name, _) => Some((name.to_owned(), false)),
    };
    let needed: Vec<(String, bool)> = shared
        .chain(service.links.iter().map(link))
        .chain(container.volumes_from.iter().filter_map(volumes))
        .collect();
    for (name, restart) in needed {
        service.depends_on.entry(name).or_insert(Dependency {
            condition: Condition::Started,
            required: true,
            restart,
        });
    }
    service
        .depends_on
        .retain(|name, dependency| dependency.required || !inactive.contains(name));
}

/// Gives what has no name the one that Compose would give it.
fn name_resources(project: &mut Project) {
    let on_default = |service: &Service| service.container.networks.contains_key(DEFAULT_NETWORK);
    if project.services.values().any(on_default) {
        project.networks.entry(DEFAULT_NETWORK.into()).or_default();
    }
    let prefix = &project.name;
    let name = |name: &mut String, external: bool, key: &str| {
        if name.is_empty() {
            *name = match external {
                true => key.to_owned(),
                false => format!("{prefix}_{key}"),
            };
        }
    };
    for (
        key,
        Network {
            name: own,
            external,
            ..
        },
    ) in &mut project.networks
    {
        name(own, *external, key);
    }
    for (
        key,
        Volume {
            name: own,
            external,
            ..
        },
    ) in &mut project.volumes
    {
        name(own, *external, key);
    }
    for (
        key,
        Secret {
            name: own,
            external,
            ..
        },
    ) in &mut project.secrets
    {
        name(own, *external, key);
    }
    for (
        key,
        Config {
            name: own,
            external,
            ..
        },
    ) in &mut project.configs
    {
        name(own, *external, key);
    }
    for (key, Model { name: own, .. }) in &mut project.models {
        own.get_or_insert_with(|| key.clone());
    }
}

/// A network that no active service is on would be made for nobody.
fn drop_unused_networks(project: &mut Project) {
    let used: BTreeSet<String> = project
        .services
        .values()
        .flat_map(|service| service.container.networks.keys().cloned())
        .collect();
    project.networks.retain(|key, _| used.contains(key));
    if let Some(Entry { node, .. }) = project
        .tree
        .as_map_mut()
        .and_then(|map| map.get_mut("networks"))
        && let Value::Map(map) = &mut node.value
    {
        map.retain(|key, _| used.contains(key));
    }
}
