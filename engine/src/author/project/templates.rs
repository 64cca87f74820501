//! The templates, which are the files below `author/templates`.

use crate::author::Language;
use crate::plugin::Hook;

/// What the projects of one language begin with.
pub struct Template {
    /// Files, by their paths in the project.
    pub files: &'static [(&'static str, &'static str)],
    /// The path of the file for one hook.
    pub hook_path: &'static str,
}

/// The beginning of every file of cases.
pub const CASES_HEAD: &str = "\
# What `rengine plugin test` gives to the hooks, and what it expects of them.
# `rengine plugin test --update` writes the snapshots of cases that have `snapshot = true`.
";

/// A file of templates.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../templates/", $path))
    };
}

/// What goes with a plugin to a registry, in all languages.
pub const METADATA: &str = template!("plugin.toml.in");

/// The file for each hook in one language.
macro_rules! hooks {
    ($hook:expr, $folder:literal, $extension:literal) => {{
        macro_rules! file {
            ($name:literal) => {
                include_str!(concat!("../templates/", $folder, "/", $name, $extension))
            };
        }
        match $hook {
            Hook::Configure => file!("configure"),
            Hook::PreBuild => file!("pre-build"),
            Hook::PreRun => file!("pre-run"),
            Hook::PostBuild => file!("post-build"),
            Hook::Health => file!("health"),
            Hook::PostRun => file!("post-run"),
            Hook::PreStop => file!("pre-stop"),
            Hook::PostDeploy => file!("post-deploy"),
        }
    }};
}

/// The template of a language.
pub fn of(language: Language) -> Template {
    match language {
        Language::Rust => Template {
            files: &[
                (".gitignore", template!("rust/gitignore")),
                ("Cargo.toml", template!("rust/Cargo.toml.in")),
                ("README.md", template!("rust/README.md.in")),
                ("src/config.rs", template!("rust/config.rs.in")),
                ("src/lib.rs", template!("rust/lib.rs.in")),
            ],
            hook_path: "src/{{hook_snake}}.rs",
        },
        Language::C => Template {
            files: &[
                (".gitignore", template!("c/gitignore")),
                ("README.md", template!("c/README.md.in")),
                ("compile_flags.txt", template!("c/compile_flags.txt")),
                ("rengine.h", template!("c/rengine.h")),
            ],
            hook_path: "{{hook_snake}}.c",
        },
        Language::Go => Template {
            files: &[
                (".gitignore", template!("go/gitignore")),
                ("README.md", template!("go/README.md.in")),
                ("go.mod", template!("go/go.mod.in")),
                ("main.go", template!("go/main.go.in")),
            ],
            hook_path: "{{hook_snake}}.go",
        },
        Language::Python => Template {
            files: &[
                (".gitignore", template!("python/gitignore")),
                ("README.md", template!("python/README.md.in")),
                ("requirements.txt", template!("python/requirements.txt")),
                ("src/app.py", template!("python/app.py.in")),
                ("src/rengine.py", template!("python/rengine.py")),
            ],
            hook_path: "src/{{hook_snake}}.py",
        },
        Language::JavaScript => Template {
            files: &[
                (".gitignore", template!("js/gitignore")),
                ("README.md", template!("js/README.md.in")),
                ("package.json", template!("js/package.json.in")),
                ("src/plugin.js", template!("js/plugin.js.in")),
                (".npmrc", template!("js/npmrc")),
                ("src/rengine.js", template!("js/rengine.js")),
            ],
            hook_path: "src/{{hook}}.js",
        },
        Language::TypeScript => Template {
            files: &[
                (".gitignore", template!("ts/gitignore")),
                ("README.md", template!("ts/README.md.in")),
                ("package.json", template!("ts/package.json.in")),
                ("tsconfig.json", template!("ts/tsconfig.json")),
                ("src/plugin.ts", template!("ts/plugin.ts.in")),
                ("src/rengine.ts", template!("ts/rengine.ts")),
                (".npmrc", template!("js/npmrc")),
            ],
            hook_path: "src/{{hook}}.ts",
        },
    }
}

/// The file of one hook.
pub fn hook(language: Language, hook: Hook) -> &'static str {
    match language {
        Language::Rust => hooks!(hook, "rust/hooks", ".rs"),
        Language::C => hooks!(hook, "c/hooks", ".c"),
        Language::Go => hooks!(hook, "go/hooks", ".go"),
        Language::Python => hooks!(hook, "python/hooks", ".py"),
        Language::JavaScript => hooks!(hook, "js/hooks", ".js"),
        Language::TypeScript => hooks!(hook, "ts/hooks", ".ts"),
    }
}

/// The cases of one hook. They are the same in every language, since the hooks do the same.
pub fn case(hook: Hook) -> &'static str {
    hooks!(hook, "cases", ".toml")
}
