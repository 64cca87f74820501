//! Today's WIT has everything that earlier versions had, in the same shape: what would break a
//! plugin is told here, before it breaks anybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rengine::plugin::WIT_VERSION;
use wit_parser::{Function, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, WorldItem};

use super::versions;

/// Every function, type and world of a folder of WIT files, without versions, to its shape.
pub struct Shapes(BTreeMap<String, String>);

impl Shapes {
    /// The names of the functions of interfaces that start with this, as
    /// [`rengine::plugin::Inspection`] has them.
    pub fn functions(&self, interfaces: &str) -> BTreeSet<String> {
        let functions = self
            .0
            .iter()
            .filter(|(name, shape)| name.starts_with(interfaces) && shape.starts_with("func("));
        functions.map(|(name, _)| name.clone()).collect()
    }
}

/// Reads the WIT of a folder.
pub fn of(folder: &Path) -> Shapes {
    let mut resolve = Resolve::default();
    resolve.push_path(folder).expect("WIT");
    let reader = Reader { resolve: &resolve };
    let mut shapes = BTreeMap::new();
    for (id, interface) in resolve.interfaces.iter() {
        let interface_name = reader.interface(id);
        for (name, &type_id) in &interface.types {
            shapes.insert(
                format!("{interface_name}.{name}"),
                reader.definition(type_id),
            );
        }
        for function in interface.functions.values() {
            // `[method]image-build.set-arg`, as a component has it, without its brackets.
            let name = function.name.rsplit(']').next().unwrap_or_default();
            shapes.insert(
                format!("{interface_name}.{name}"),
                reader.function(function),
            );
        }
    }
    for (_, world) in resolve.worlds.iter() {
        for (direction, items) in [("import", &world.imports), ("export", &world.exports)] {
            for item in items.values() {
                // The types that a world uses come with their interfaces.
                if let WorldItem::Interface { id, .. } = item {
                    let name =
                        format!("world {} {direction} {}", world.name, reader.interface(*id));
                    shapes.insert(name, String::new());
                }
            }
        }
    }
    Shapes(shapes)
}

struct Reader<'a> {
    resolve: &'a Resolve,
}

impl Reader<'_> {
    /// `rengine:plugin/build`, of whatever version.
    fn interface(&self, id: InterfaceId) -> String {
        let interface = &self.resolve.interfaces[id];
        let package = interface.package.map(|id| &self.resolve.packages[id].name);
        let package = package.map_or(String::new(), |name| {
            format!("{}:{}/", name.namespace, name.name)
        });
        format!("{package}{}", interface.name.as_deref().unwrap_or("inline"))
    }

    fn function(&self, function: &Function) -> String {
        let params: Vec<_> = function
            .params
            .iter()
            .map(|param| format!("{}: {}", param.name, self.shape(&param.ty)))
            .collect();
        let kind = match function.kind.is_async() {
            true => " async",
            false => "",
        };
        let params = params.join(", ");
        format!(
            "func({params}){kind} -> {}",
            self.optional(function.result.as_ref())
        )
    }

    fn optional(&self, ty: Option<&Type>) -> String {
        ty.map_or_else(|| "_".to_owned(), |ty| self.shape(ty))
    }

    /// A type where it is used: by its name, if it has one.
    fn shape(&self, ty: &Type) -> String {
        let Type::Id(id) = ty else {
            return format!("{ty:?}").to_lowercase();
        };
        let definition = &self.resolve.types[*id];
        match (&definition.kind, &definition.name) {
            // What `use` brings in is what it was where it comes from.
            (TypeDefKind::Type(aliased), Some(_)) => self.shape(aliased),
            (_, Some(name)) => match definition.owner {
                wit_parser::TypeOwner::Interface(id) => format!("{}.{name}", self.interface(id)),
                _ => name.clone(),
            },
            (_, None) => self.definition(*id),
        }
    }

    fn definition(&self, id: TypeId) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match &self.resolve.types[id].kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let fields =
                    fields.map(|field| format!("{}: {}", field.name, self.shape(&field.ty)));
                format!("record {{ {} }}", list(fields.collect()))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let cases =
                    cases.map(|case| format!("{}({})", case.name, self.optional(case.ty.as_ref())));
                format!("variant {{ {} }}", list(cases.collect()))
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter().map(|case| case.name.clone());
                format!("enum {{ {} }}", list(cases.collect()))
            }
            TypeDefKind::Flags(flags) => {
                let flags = flags.flags.iter().map(|flag| flag.name.clone());
                format!("flags {{ {} }}", list(flags.collect()))
            }
            TypeDefKind::Tuple(tuple) => {
                let types = tuple.types.iter().map(|ty| self.shape(ty));
                format!("tuple<{}>", list(types.collect()))
            }
            TypeDefKind::Handle(Handle::Own(id)) => self.shape(&Type::Id(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                format!("borrow<{}>", self.shape(&Type::Id(*id)))
            }
            TypeDefKind::Option(ty) => format!("option<{}>", self.shape(ty)),
            TypeDefKind::Result(result) => format!(
                "result<{}, {}>",
                self.optional(result.ok.as_ref()),
                self.optional(result.err.as_ref())
            ),
            TypeDefKind::List(ty) => format!("list<{}>", self.shape(ty)),
            TypeDefKind::Resource => "resource".to_owned(),
            TypeDefKind::Type(aliased) => self.shape(aliased),
            other => panic!("{} is not used yet: compare it here", other.as_str()),
        }
    }
}

/// What of the old shapes is not there any more, or is another.
fn broken(old: &Shapes, new: &Shapes) -> Vec<String> {
    let differing = old
        .0
        .iter()
        .filter_map(|(name, shape)| match new.0.get(name) {
            None => Some(format!("{name} is gone")),
            Some(now) if now != shape => Some(format!("{name} was {shape}, and is {now}")),
            Some(_) => None,
        });
    differing.collect()
}

fn today() -> Shapes {
    of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))
}

#[test]
fn today_s_interface_has_all_that_earlier_ones_had() {
    for (version, folder) in versions() {
        assert_eq!(
            broken(&of(&folder.join("wit")), &today()),
            Vec::<String>::new(),
            "a plugin built for {version} would break: see wit/README.md for what can change"
        );
    }
}

/// A version means one thing: rengine tells a plugin that needs more than it has by the version
/// alone.
#[test]
fn what_is_new_has_a_new_version() {
    let (version, folder) = versions()
        .into_iter()
        .find(|(version, _)| version == WIT_VERSION)
        .unwrap_or_else(|| {
            panic!("{WIT_VERSION} is not kept in tests/compat: see wit/README.md, `A new version`")
        });
    assert_eq!(
        broken(&today(), &of(&folder.join("wit"))),
        Vec::<String>::new(),
        "{version} is out and can't get more: see wit/README.md, `A new version`"
    );
}

/// The comparison sees what it has to see.
#[test]
fn a_breaking_change_is_seen() {
    let shapes = |interface: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let wit = format!(
            "package rengine:plugin@0.1.0;
             interface build {{ {interface} }}
             world plugin {{ import build; }}"
        );
        std::fs::write(folder.path().join("build.wit"), wit).expect("a file");
        of(folder.path())
    };
    const OLD: &str = "enum e { a } variant v { a(u8), b } record r { a: e }
        resource t { m: func(a: u8) -> result<r, string>; } f: func(a: borrow<t>);";
    let old = shapes(OLD);
    assert_eq!(broken(&old, &shapes(OLD)), Vec::<String>::new());
    let added = OLD.replace("resource t {", "g: func(); resource t { n: func();");
    assert_eq!(broken(&old, &shapes(&added)), Vec::<String>::new());
    assert_eq!(
        broken(&shapes(&added), &old).len(),
        2,
        "what is new is seen, too"
    );
    for (from, to) in [
        ("enum e { a }", "enum e { a, b }"),
        ("b }", "b, c }"),
        ("a(u8), b", "b, a(u8)"),
        ("a: e }", "a: e, b: u8 }"),
        ("a: e }", "a: option<e> }"),
        ("m: func(a: u8)", "m: func(a: u16)"),
        ("m: func(a: u8)", "m: func(b: u8)"),
        ("m: func(a: u8)", "m: func(a: u8, b: u8)"),
        ("result<r, string>", "result<r>"),
        ("m: func(", "n: func("),
        ("m: func(", "m: static func("),
        ("f: func(a: borrow<t>)", "f: func(a: t)"),
        ("f: func(a: borrow<t>);", ""),
    ] {
        let new = OLD.replacen(from, to, 1);
        assert_ne!(new, OLD, "{from}");
        assert_ne!(broken(&old, &shapes(&new)), Vec::<String>::new(), "{to}");
    }
}
