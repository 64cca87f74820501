//! What a component exports and imports, from its bytes alone: nothing of it is compiled.

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// What a component exports and imports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Names of what it exports, such as `rengine:plugin/pre-run@0.1.0`.
    pub exports: Vec<String>,
    /// Names of what it imports.
    pub imports: Vec<String>,
}

/// What the interfaces of rengine begin with.
const OURS: &str = "rengine:plugin/";

impl Outline {
    /// Reads a component's bytes.
    ///
    /// # Errors
    ///
    /// If they are none, in words.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut outline = Self::default();
        let mut depth = 0_u32;
        let mut is_component = false;
        let wrong = |error: wasmparser::BinaryReaderError| error.message().to_owned();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(wrong)? {
                Payload::Version { encoding, .. } if depth == 0 => {
                    is_component = encoding == wasmparser::Encoding::Component;
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(reader) if depth == 0 => {
                    for import in reader {
                        outline
                            .imports
                            .push(import.map_err(wrong)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(reader) if depth == 0 => {
                    for export in reader {
                        outline
                            .exports
                            .push(export.map_err(wrong)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        if !is_component {
            return Err("it is a core module, and a plugin is a component".to_owned());
        }
        outline.exports.sort();
        outline.imports.sort();
        Ok(outline)
    }

    /// The hooks among what it exports, by their names.
    pub fn hooks(&self) -> Vec<String> {
        let names = self.exports.iter().filter_map(|name| {
            let (name, _) = name.strip_prefix(OURS)?.split_once('@')?;
            Some(name.to_owned())
        });
        names.collect()
    }

    /// The version of rengine's interface that it was built for: the highest that it names.
    pub fn wit(&self) -> Option<String> {
        let names = self.exports.iter().chain(&self.imports);
        names
            .filter_map(|name| {
                let (_, version) = name.strip_prefix(OURS)?.split_once('@')?;
                Some((semver::Version::parse(version).ok()?, version.to_owned()))
            })
            .max()
            .map(|(_, version)| version)
    }
}
