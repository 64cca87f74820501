//! Gives handles back in time: what componentize-qjs makes drops a borrowed handle in the
//! function's post-return, where a component may call nothing, so each call would trap.
//!
//! The module that connects QuickJS with the world is changed. Its exports get a function around
//! them that drops what they were handed, and the drop that QuickJS does later becomes one that
//! does nothing. Seen with versions 0.4.3 to 0.4.5; where a later one does it right by itself,
//! there is nothing of this to be found in its component, and it stays as it is.

use std::collections::BTreeMap;

use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
use wasm_encoder::{
    CodeSection, Component, ComponentSectionId, Function, FunctionSection, Module, RawSection,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};
use wit_parser::abi::{FlatTypes, WasmType};
use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldId, WorldItem};

/// Changes a component whose world is known.
pub fn give_back(component: &[u8], resolve: &Resolve, world: WorldId) -> Result<Vec<u8>, String> {
    let mut mender = Mender {
        borrows: borrows(resolve, world),
    };
    let mut mended = Component::new();
    mender
        .parse_component(&mut mended, Parser::new(0), component)
        .map_err(|error| error.to_string())?;
    Ok(mended.finish())
}

/// A handle that an export is handed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Borrow {
    /// The position among the core function's parameters.
    parameter: u32,
    /// The import that drops it: its module and name.
    drop: (String, String),
}

/// The handles that each export of the world is handed, by the core function's name.
fn borrows(resolve: &Resolve, world: WorldId) -> BTreeMap<String, Vec<Borrow>> {
    let mut exports = BTreeMap::new();
    for (key, item) in &resolve.worlds[world].exports {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        for function in resolve.interfaces[*id].functions.values() {
            let mut position = 0;
            let mut handed = Vec::new();
            for parameter in &function.params {
                if let Some(drop) = borrowed(resolve, parameter.ty) {
                    let parameter = position;
                    handed.push(Borrow { parameter, drop });
                }
                position += flat(resolve, parameter.ty);
            }
            let name = format!("{}#{}", resolve.name_world_key(key), function.name);
            exports.insert(name, handed);
        }
    }
    exports.retain(|_, handed| !handed.is_empty());
    exports
}

/// The import that drops a handle of this type, if it is one that is borrowed.
fn borrowed(resolve: &Resolve, ty: Type) -> Option<(String, String)> {
    let Type::Id(id) = ty else { return None };
    match resolve.types[id].kind {
        TypeDefKind::Handle(Handle::Borrow(resource)) => {
            let resource = &resolve.types[original(resolve, resource)];
            let TypeOwner::Interface(owner) = resource.owner else {
                return None;
            };
            let name = format!("[resource-drop]{}", resource.name.as_ref()?);
            Some((resolve.id_of(owner)?, name))
        }
        TypeDefKind::Type(ty) => borrowed(resolve, ty),
        _ => None,
    }
}

/// The type that a `use` stands for.
fn original(resolve: &Resolve, id: TypeId) -> TypeId {
    match resolve.types[id].kind {
        TypeDefKind::Type(Type::Id(other)) => original(resolve, other),
        _ => id,
    }
}

/// How many parameters of the core function a value takes.
fn flat(resolve: &Resolve, ty: Type) -> u32 {
    let mut storage = [WasmType::I32; 64];
    let mut types = FlatTypes::new(&mut storage);
    resolve.push_flat(&ty, &mut types);
    types.to_vec().len() as u32
}

struct Mender {
    borrows: BTreeMap<String, Vec<Borrow>>,
}

impl Reencode for Mender {
    type Error = String;
}

impl ReencodeComponent for Mender {
    fn parse_component_submodule(
        &mut self,
        component: &mut Component,
        _: Parser,
        module: &[u8],
    ) -> Result<(), Error<String>> {
        let mended = match Mend::of(module, &self.borrows)? {
            Some(mut mend) => {
                let mut mended = Module::new();
                mend.parse_core_module(&mut mended, Parser::new(0), module)?;
                mended.finish()
            }
            None => module.to_vec(),
        };
        component.section(&RawSection {
            id: ComponentSectionId::CoreModule.into(),
            data: &mended,
        });
        Ok(())
    }
}

/// What is changed in the one module.
struct Mend {
    /// Functions that take the place of others, wherever those are named.
    instead: BTreeMap<u32, u32>,
    /// The functions that are added: their types and code.
    added: Vec<(u32, Function)>,
}

impl Mend {
    /// Finds what there is to change: a module that exports a hook, and imports the drop of what
    /// the hook is handed.
    fn of(
        module: &[u8],
        borrows: &BTreeMap<String, Vec<Borrow>>,
    ) -> Result<Option<Self>, Error<String>> {
        let mut signatures = Vec::new();
        let mut functions = Vec::new();
        let mut drops = BTreeMap::new();
        let mut exports = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(types) => {
                    for ty in types.into_iter_err_on_gc_types() {
                        signatures.push(ty?.params().len() as u32);
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        if let TypeRef::Func(ty) = import.ty {
                            let name = (import.module.to_owned(), import.name.to_owned());
                            drops.insert(name, functions.len() as u32);
                            functions.push(ty);
                        }
                    }
                }
                Payload::FunctionSection(types) => {
                    for ty in types {
                        functions.push(ty?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Func
                            && let Some(handed) = borrows.get(export.name)
                        {
                            exports.push((export.index, handed));
                        }
                    }
                }
                _ => {}
            }
        }
        let mut mend = Self {
            instead: BTreeMap::new(),
            added: Vec::new(),
        };
        for (export, handed) in exports {
            let ty = functions[export as usize];
            let mut around = Function::new([]);
            let mut code = around.instructions();
            for parameter in 0..signatures[ty as usize] {
                code.local_get(parameter);
            }
            code.call(export);
            for borrow in handed {
                let Some(&drop) = drops.get(&borrow.drop) else {
                    return Ok(None);
                };
                code.local_get(borrow.parameter).call(drop);
                if !mend.instead.contains_key(&drop) {
                    let mut nothing = Function::new([]);
                    nothing.instructions().end();
                    mend.instead
                        .insert(drop, (functions.len() + mend.added.len()) as u32);
                    mend.added.push((functions[drop as usize], nothing));
                }
            }
            code.end();
            mend.instead
                .insert(export, (functions.len() + mend.added.len()) as u32);
            mend.added.push((ty, around));
        }
        Ok((!mend.added.is_empty()).then_some(mend))
    }
}

impl Reencode for Mend {
    type Error = String;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<String>> {
        Ok(*self.instead.get(&function).unwrap_or(&function))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        for ty in section {
            functions.function(ty?);
        }
        for (ty, _) in &self.added {
            functions.function(*ty);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), Error<String>> {
        for body in section {
            self.parse_function_body(code, body?)?;
        }
        for (_, function) in &self.added {
            code.function(function);
        }
        Ok(())
    }

    fn custom_name_section(
        &mut self,
        section: wasmparser::NameSectionReader<'_>,
    ) -> Result<wasm_encoder::NameSection, Error<String>> {
        // Names belong to where the functions are.
        let instead = std::mem::take(&mut self.instead);
        let names = wasm_encoder::reencode::utils::custom_name_section(self, section);
        self.instead = instead;
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::{componentize, wit};
    use crate::plugin::Hook;

    /// A module that drops what it was handed as componentize-qjs does: through a table, in the
    /// post-return.
    const LATE: &str = r#"(module
        (import "rengine:plugin/container@0.1.0" "[resource-drop]container-spec"
            (func $drop (param i32)))
        (memory (export "memory") 1)
        (table 1 1 funcref)
        (elem (i32.const 0) func $drop)
        (global $spec (mut i32) (i32.const 0))
        (func (export "rengine:plugin/pre-run@0.1.0#run")
            (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (global.set $spec (local.get 7))
            (i32.const 16))
        (func (export "cabi_post_rengine:plugin/pre-run@0.1.0#run") (param i32)
            (call_indirect (param i32) (global.get $spec) (i32.const 0)))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (i32.const 1024)))"#;

    fn modules(component: &[u8]) -> Vec<String> {
        let mut modules = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            if let Payload::ModuleSection {
                unchecked_range, ..
            } = payload.expect("a payload")
            {
                modules.push(format!(
                    "{:?}",
                    elements(
                        &component[unchecked_range.start as usize..unchecked_range.end as usize]
                    )
                ));
            }
        }
        modules
    }

    fn elements(module: &[u8]) -> Vec<u32> {
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::ElementSection(section) = payload.expect("a payload") {
                for element in section {
                    if let wasmparser::ElementItems::Functions(functions) =
                        element.expect("an element").items
                    {
                        found.extend(functions.into_iter().map(|index| index.expect("an index")));
                    }
                }
            }
        }
        found
    }

    #[test]
    fn what_a_hook_was_handed_is_dropped_before_it_returns() {
        let dir = tempfile::tempdir().expect("a folder");
        wit::write_world(dir.path(), &[Hook::PreRun]).expect("the WIT");
        let (resolve, world) = wit::load(dir.path()).expect("a world");
        let handed = borrows(&resolve, world);
        let borrow = &handed["rengine:plugin/pre-run@0.1.0#run"][0];
        assert_eq!(borrow.parameter, 7, "after three texts and a truth");

        let module = wat::parse_str(LATE).expect("a module");
        let late = componentize::component(module, Some((&resolve, world))).expect("a component");
        let mended = give_back(&late, &resolve, world).expect("it is mended");
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&mended)
            .expect("it is valid");
        // The import, the three functions, and then the one that drops nothing.
        assert_eq!(modules(&late)[0], "[0]");
        assert_eq!(modules(&mended)[0], "[4]");
        let again = give_back(&mended, &resolve, world);
        assert!(again.is_ok(), "{again:?}");
    }
}
