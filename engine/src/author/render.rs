//! Placeholders of templates.

use crate::plugin::Hook;

/// Fills a template in: `{{name}}` is the project's name, `{{hooks_code}}` the hooks' names in
/// prose, `{{hooks_snake}}` as identifiers. What stands between the lines `{{#hooks}}` and
/// `{{/hooks}}` comes once for each hook, with `{{hook}}`, `{{hook_snake}}`, `{{hook_camel}}` and
/// `{{hook_pascal}}`.
pub fn render(template: &str, name: &str, hooks: &[Hook]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, repeated, after)) = block(rest) {
        text.push_str(before);
        for &hook in hooks {
            text.push_str(&for_hook(repeated, hook));
        }
        rest = after;
    }
    text.push_str(rest);
    let list = |each: &dyn Fn(Hook) -> String| {
        let names: Vec<_> = hooks.iter().map(|&hook| each(hook)).collect();
        names.join(", ")
    };
    text.replace("{{name}}", name)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{hooks_code}}", &list(&|hook| format!("`{hook}`")))
        .replace("{{hooks_snake}}", &list(&snake))
}

/// Fills in what is about one hook.
pub fn for_hook(template: &str, hook: Hook) -> String {
    template
        .replace("{{hook}}", hook.name())
        .replace("{{hook_snake}}", &snake(hook))
        .replace("{{hook_camel}}", &camel(hook))
        .replace("{{hook_pascal}}", &pascal(hook))
}

fn block(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{#hooks}}\n")?;
    let (repeated, after) = rest.split_once("{{/hooks}}\n")?;
    Some((before, repeated, after))
}

fn snake(hook: Hook) -> String {
    hook.name().replace('-', "_")
}

fn pascal(hook: Hook) -> String {
    let words = hook.name().split('-');
    words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

fn camel(hook: Hook) -> String {
    let pascal = pascal(hook);
    let (first, rest) = pascal.split_at(1);
    first.to_lowercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_once_for_each_hook() {
        let template = "a {{name}}\n{{#hooks}}\nmod {{hook_snake}}; {{hook_camel}} {{hook_pascal}}\n\
                        {{/hooks}}\nb {{hooks_code}} {{hooks_snake}}\n";
        let text = render(template, "team", &[Hook::PreBuild, Hook::Health]);
        assert_eq!(
            text,
            "a team\nmod pre_build; preBuild PreBuild\nmod health; health Health\n\
             b `pre-build`, `health` pre_build, health\n"
        );
    }
}
