//! Components made at run time from WebAssembly text.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Sets a variable of the container; the last parameter is where the result goes.
pub const SET_ENV: &str = r#"(import "rengine:plugin/container@0.1.0"
    "[method]container-spec.set-env" (func $set_env (param i32 i32 i32 i32 i32 i32)))"#;

/// A component that exports `pre-run`, whose function has this body.
///
/// The body has the parameter `$spec`, the locals `$i`, `$a` and `$b`, and can call:
/// - `$refuse` with pointer and length of a reason, for the hook's result;
/// - `$check` with where a setter's result is, for the hook's result: its error is the reason.
///
/// It may end without a result of its own, which means that all went well. Memory from 1024 to
/// 65536 is free for it, and what is allocated on the host's behalf comes after that. At 1024
/// stands the text `KEY`, of three bytes.
pub fn pre_run(imports: &str, body: &str) -> Vec<u8> {
    pre_run_with("", "", imports, body, "")
}

/// The same, with more WIT packages, a part of the world, and items of the module.
pub fn pre_run_with(
    packages: &str,
    world: &str,
    imports: &str,
    body: &str,
    items: &str,
) -> Vec<u8> {
    let module = format!(
        r#"(module
  {imports}
  (import "rengine:plugin/container@0.1.0" "[resource-drop]container-spec"
    (func $drop_spec (param i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 65536))
  (data (i32.const 1024) "KEY")
  (func $realloc (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (loop $grow
        (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.const 1)))
        (br $grow)))
    (local.get $at))
  (func $refuse (param $text i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.store (i32.const 20) (local.get $text))
    (i32.store (i32.const 24) (local.get $length))
    (i32.const 16))
  (func $check (param $result i32) (result i32)
    (if (i32.load8_u (local.get $result))
      (then (return (call $refuse
        (i32.load offset=8 (local.get $result)) (i32.load offset=12 (local.get $result))))))
    (i32.const 16))
  (func $body (param $spec i32) (result i32)
    (local $i i32) (local $a i32) (local $b i32)
    {body}
    (i32.const 16))
  (func (export "rengine:plugin/pre-run@0.1.0#run")
    (param i32 i32 i32 i32 i32 i32 i32) (param $spec i32) (result i32)
    (local $result i32)
    (local.set $result (call $body (local.get $spec)))
    (call $drop_spec (local.get $spec))
    (local.get $result))
  {items})"#
    );
    let world = format!(
        "package test:guest;
        {packages}
        world guest {{
            include rengine:plugin/imports@0.1.0;
            export rengine:plugin/pre-run@0.1.0;
            {world}
        }}"
    );
    component(&world, &module)
}

/// A component of the one world in this WIT, which may name what is in rengine's own.
pub fn component(wit: &str, module: &str) -> Vec<u8> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let mut resolve = Resolve::default();
    resolve.push_path(own).expect("rengine's WIT");
    encode(resolve, wit, module)
}

/// A component of the one world in this WIT, which may name what was read before.
pub fn encode(mut resolve: Resolve, wit: &str, module: &str) -> Vec<u8> {
    let package = resolve.push_str("guest.wit", wit).expect("the guest's WIT");
    let world = resolve
        .select_world(&[package], Some("guest"))
        .expect("a world");
    let mut module = wat::parse_str(module).expect("a module");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .unwrap_or_else(|error| panic!("no component: {error:?}"))
}
