//! Declarations for TypeScript of what a world imports, as componentize-qjs hands it to code.

use std::fmt::Write;

use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Resolve, Type, TypeDefKind, TypeId, TypeOwner,
    WorldId, WorldItem,
};

/// A module for each interface that the world imports.
pub fn declarations(resolve: &Resolve, world: WorldId) -> String {
    let mut text = String::from("// Written by rengine from wit/: do not edit.\n");
    let world = &resolve.worlds[world];
    // Types of an exported interface are its own; the rest it uses from imports.
    let mut done = Vec::new();
    for item in world.imports.values().chain(world.exports.values()) {
        if let WorldItem::Interface { id, .. } = item
            && !done.contains(id)
        {
            done.push(*id);
            let name = resolve.id_of(*id).unwrap_or_default();
            let _ = write!(text, "\ndeclare module '{name}' {{");
            module(resolve, &resolve.interfaces[*id], &mut text);
            text.push_str("}\n");
        }
    }
    text
}

fn module(resolve: &Resolve, interface: &Interface, text: &mut String) {
    for (name, &id) in &interface.types {
        text.push('\n');
        definition(resolve, interface, name, id, text);
    }
    for function in interface.functions.values() {
        if matches!(function.kind, FunctionKind::Freestanding) {
            text.push('\n');
            docs(&function.docs, "  ", text);
            let signature = signature(resolve, function, 0);
            let _ = writeln!(
                text,
                "  export function {}{signature};",
                camel(&function.name)
            );
        }
    }
}

fn definition(resolve: &Resolve, interface: &Interface, name: &str, id: TypeId, text: &mut String) {
    let kind = &resolve.types[id].kind;
    docs(&resolve.types[id].docs, "  ", text);
    let pascal = pascal(name);
    match kind {
        TypeDefKind::Record(record) => {
            let _ = writeln!(text, "  export interface {pascal} {{");
            for field in &record.fields {
                docs(&field.docs, "    ", text);
                let (optional, kind) = match option(resolve, field.ty) {
                    Some(inner) => ("?", format!("{} | null", reference(resolve, inner))),
                    None => ("", reference(resolve, field.ty)),
                };
                let _ = writeln!(text, "    {}{optional}: {kind};", camel(&field.name));
            }
            text.push_str("  }\n");
        }
        TypeDefKind::Variant(variant) => {
            let _ = write!(text, "  export type {pascal} =");
            for case in &variant.cases {
                let name = &case.name;
                let _ = match case.ty {
                    Some(ty) => {
                        let ty = reference(resolve, ty);
                        write!(text, "\n    | {{ tag: '{name}'; val: {ty} }}")
                    }
                    None => write!(text, "\n    | {{ tag: '{name}' }}"),
                };
            }
            text.push_str(";\n");
        }
        TypeDefKind::Enum(kind) => {
            let cases: Vec<_> = kind.cases.iter().map(|case| quoted(&case.name)).collect();
            let _ = writeln!(text, "  export type {pascal} = {};", cases.join(" | "));
        }
        TypeDefKind::Flags(flags) => {
            let _ = writeln!(text, "  export interface {pascal} {{");
            for flag in &flags.flags {
                let _ = writeln!(text, "    {}?: boolean;", camel(&flag.name));
            }
            text.push_str("  }\n");
        }
        TypeDefKind::Resource => {
            let _ = writeln!(
                text,
                "  export class {pascal} {{\n    private constructor();"
            );
            for function in interface.functions.values() {
                if matches!(function.kind, FunctionKind::Method(owner) if owner == id) {
                    docs(&function.docs, "    ", text);
                    let name = function.name.rsplit('.').next().unwrap_or_default();
                    let signature = signature(resolve, function, 1);
                    let _ = writeln!(text, "    {}{signature};", camel(name));
                }
            }
            text.push_str("  }\n");
        }
        _ => {
            let kind = expression(resolve, kind);
            let _ = writeln!(text, "  export type {pascal} = {kind};");
        }
    }
}

/// Parameters and result; `skip` leaves out the receiver of a method.
fn signature(resolve: &Resolve, function: &Function, skip: usize) -> String {
    let parameters: Vec<_> = function
        .params
        .iter()
        .skip(skip)
        .map(|parameter| {
            let name = camel(&parameter.name);
            format!("{name}: {}", reference(resolve, parameter.ty))
        })
        .collect();
    // An error is thrown.
    let result = function.result.map(|ty| match plain(resolve, ty) {
        Some(TypeDefKind::Result(result)) => result.ok,
        _ => Some(ty),
    });
    let result = result.flatten();
    let result = result.map_or("void".to_owned(), |ty| reference(resolve, ty));
    format!("({}): {result}", parameters.join(", "))
}

/// A type where it is used: by its name, if it has one.
fn reference(resolve: &Resolve, ty: Type) -> String {
    let id = match ty {
        Type::Bool => return "boolean".to_owned(),
        Type::U64 | Type::S64 => return "bigint".to_owned(),
        Type::Char | Type::String => return "string".to_owned(),
        Type::Id(id) => id,
        _ => return "number".to_owned(),
    };
    let definition = &resolve.types[id];
    match (&definition.name, definition.owner) {
        (Some(name), TypeOwner::Interface(owner)) => {
            let module = resolve.id_of(owner).unwrap_or_default();
            format!("import('{module}').{}", pascal(name))
        }
        _ => expression(resolve, &definition.kind),
    }
}

fn expression(resolve: &Resolve, kind: &TypeDefKind) -> String {
    match kind {
        TypeDefKind::Option(ty) => format!("{} | null | undefined", reference(resolve, *ty)),
        TypeDefKind::List(Type::U8) => "Uint8Array".to_owned(),
        TypeDefKind::List(ty) => format!("Array<{}>", reference(resolve, *ty)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<_> = tuple
                .types
                .iter()
                .map(|ty| reference(resolve, *ty))
                .collect();
            format!("[{}]", types.join(", "))
        }
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
            reference(resolve, Type::Id(*id))
        }
        TypeDefKind::Type(ty) => reference(resolve, *ty),
        TypeDefKind::Result(result) => {
            let part =
                |ty: Option<Type>| ty.map_or("undefined".to_owned(), |ty| reference(resolve, ty));
            format!(
                "{{ tag: 'ok'; val: {} }} | {{ tag: 'err'; val: {} }}",
                part(result.ok),
                part(result.err)
            )
        }
        _ => "unknown".to_owned(),
    }
}

fn plain(resolve: &Resolve, ty: Type) -> Option<&TypeDefKind> {
    match ty {
        Type::Id(id) => Some(&resolve.types[id].kind),
        _ => None,
    }
}

fn option(resolve: &Resolve, ty: Type) -> Option<Type> {
    match plain(resolve, ty) {
        Some(TypeDefKind::Option(inner)) => Some(*inner),
        _ => None,
    }
}

fn docs(docs: &Docs, indent: &str, text: &mut String) {
    let Some(docs) = &docs.contents else { return };
    let lines: Vec<_> = docs.trim().lines().collect();
    match lines[..] {
        [line] => drop(writeln!(text, "{indent}/** {line} */")),
        _ => {
            let _ = writeln!(text, "{indent}/**");
            for line in lines {
                let _ = writeln!(text, "{indent} * {}", line.trim());
            }
            let _ = writeln!(text, "{indent} */");
        }
    }
}

fn quoted(name: &String) -> String {
    format!("'{name}'")
}

fn pascal(name: &str) -> String {
    let words = name.split('-').filter_map(|word| {
        let (first, rest) = word.split_at_checked(1)?;
        Some(first.to_uppercase() + rest)
    });
    words.collect()
}

fn camel(name: &str) -> String {
    let pascal = pascal(name);
    match pascal.split_at_checked(1) {
        Some((first, rest)) => first.to_lowercase() + rest,
        None => pascal,
    }
}
