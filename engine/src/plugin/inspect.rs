//! What a component is, without running it.

use serde::Serialize;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::Hook;
use super::capability::Gate;
use super::version::{self, Fit};
use crate::grants::Grants;

/// What a component exports and imports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The sha256 of the file, in hexadecimal.
    pub digest: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// The hooks that this host would call.
    pub hooks: Vec<Hook>,
    /// Exported interfaces that are no hooks of this host.
    pub other_exports: Vec<String>,
    /// Imported interfaces.
    pub imports: Vec<Interface>,
}

/// An imported interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name, such as `rengine:plugin/build@0.1.0`.
    pub name: String,
    /// The functions of it that are imported.
    pub functions: Vec<String>,
}

impl Inspection {
    /// The grants that the plugin may need, each with what for. A guess from its imports: a
    /// method that is imported may never be called, or only for what needs no grant. Components
    /// of some languages, as Python, import every method there is.
    pub fn possible_grants(&self) -> Vec<(&'static str, &'static str)> {
        const METHODS: [(&str, &str, &str); 9] = [
            ("build", "image-build.read-file", "context = \"read\""),
            (
                "container",
                "container-spec.set-privileged",
                "privileged = true",
            ),
            (
                "container",
                "container-spec.set-cap-add",
                "cap-add = [\"…\"]",
            ),
            (
                "container",
                "container-spec.add-device",
                "devices = [\"…\"]",
            ),
            (
                "container",
                "container-spec.add-mount",
                "bind-mounts = [\"…\"]",
            ),
            (
                "container",
                "container-spec.add-security-option",
                "security-options = true",
            ),
            (
                "container",
                "container-spec.set-network-mode",
                "host-namespaces = [\"network\"]",
            ),
            (
                "container",
                "container-spec.set-pid-mode",
                "host-namespaces = [\"pid\"]",
            ),
            (
                "container",
                "container-spec.set-ipc-mode",
                "host-namespaces = [\"ipc\"]",
            ),
        ];
        METHODS
            .into_iter()
            .filter(|(interface, method, _)| {
                let interface = format!("rengine:plugin/{interface}@");
                self.imports.iter().any(|import| {
                    import.name.starts_with(&interface)
                        && import.functions.iter().any(|function| function == method)
                })
            })
            .map(|(_, method, grant)| (grant, method))
            .collect()
    }

    /// The grants that it can't be loaded without, each with the interface that needs it.
    pub fn needed_grants(&self) -> Vec<(String, &str)> {
        self.missing_grants(&Grants::default())
    }

    pub(crate) fn missing_grants(&self, grants: &Grants) -> Vec<(String, &str)> {
        let missing = self.imports.iter().filter_map(|import| {
            let denied = (Gate::of(&import.name)?.granted)(grants).err()?;
            Some((denied.grant, import.name.as_str()))
        });
        missing.collect()
    }

    /// What it imports without having been granted it, with the line to add.
    pub(super) fn check_grants(
        &self,
        plugin: &str,
        grants: &Grants,
    ) -> Result<(), (String, String)> {
        let missing = self.missing_grants(grants);
        if missing.is_empty() {
            return Ok(());
        }
        let (lines, names): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let verb = if names.len() == 1 { "is" } else { "are" };
        Err((
            format!(
                "it imports {}, which {verb} not granted",
                names.join(" and ")
            ),
            format!(
                "if you trust it with that, add `grants = {{ {} }}` under [plugins.{plugin}] in \
                 plugins.toml",
                lines.join(", ")
            ),
        ))
    }

    /// What keeps this host from running it, with help.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let imported = self.imports.iter().map(|import| &import.name);
        let ours = self
            .other_exports
            .iter()
            .chain(imported)
            .filter(|name| name.starts_with("rengine:plugin/"));
        // Of several, the first that is too new: what has it will have the others.
        let unfit = ours
            .filter_map(|name| Some((version::fit(name.rsplit_once('@')?.1), name)))
            .filter(|(fit, _)| *fit != Fit::Runs)
            .rev()
            .max_by_key(|(fit, _)| *fit);
        if let Some((fit, name)) = unfit {
            return Err(fit.told(name));
        }
        if self.hooks.is_empty() {
            let hooks: Vec<_> = Hook::ALL.iter().map(|hook| hook.name()).collect();
            return Err((
                "it exports no hook".to_owned(),
                format!("a plugin exports one or more of {}", hooks.join(", ")),
            ));
        }
        Ok(())
    }
}

/// The grants that a component which imports these interfaces can't be loaded without.
pub fn needed_grants(imports: &[String]) -> Vec<String> {
    let imports = imports.iter().map(|name| Interface {
        name: name.clone(),
        functions: Vec::new(),
    });
    let inspection = Inspection {
        imports: imports.collect(),
        ..Inspection::default()
    };
    let needed = inspection.needed_grants().into_iter();
    needed.map(|(grant, _)| grant).collect()
}

pub(super) fn inspect(engine: &Engine, component: &Component) -> Inspection {
    let kind = component.component_type();
    let mut inspection = Inspection::default();
    for (name, _) in kind.exports(engine) {
        // Found as the linker finds them: any compatible version of the interface.
        match Hook::ALL.into_iter().find(|hook| {
            name.strip_prefix("rengine:plugin/")
                .and_then(|rest| rest.strip_prefix(hook.name()))
                .and_then(|rest| rest.strip_prefix('@'))
                .is_some_and(|version| version::fit(version) == Fit::Runs)
        }) {
            Some(hook) => inspection.hooks.push(hook),
            None => inspection.other_exports.push(name.to_owned()),
        }
    }
    inspection.hooks.sort_unstable();
    for (name, item) in kind.imports(engine) {
        let mut functions = Vec::new();
        if let ComponentItem::ComponentInstance(instance) = item.ty {
            for (function, item) in instance.exports(engine) {
                if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                    functions.push(plain(function));
                }
            }
        }
        inspection.imports.push(Interface {
            name: name.to_owned(),
            functions,
        });
    }
    inspection
}

/// `[method]image-build.set-arg` without what stands in brackets.
fn plain(function: &str) -> String {
    match function.split_once(']') {
        Some((_, name)) => name.to_owned(),
        None => function.to_owned(),
    }
}

/// Tells a component from what people hand over for one.
pub(super) fn check_header(bytes: &[u8]) -> Result<(), (String, String)> {
    let error = |cause: &str, help: &str| Err((cause.to_owned(), help.to_owned()));
    match bytes {
        // https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => error(
            "it is a core WebAssembly module, and a plugin is a component",
            "in Rust, build with `--target wasm32-wasip2`; for other languages, see \
             `wasm-tools component new`",
        ),
        [] => error("the file is empty", "build the plugin again"),
        [b'(', ..] => error(
            "it is WebAssembly text, and a plugin is a binary component",
            "convert it with `wasm-tools parse FILE -o plugin.wasm`",
        ),
        _ => error(
            "it is not WebAssembly",
            "a plugin is a WebAssembly component, a file that ends in .wasm",
        ),
    }
}
