// A plugin for rengine: each hook is a file that sets its function.
package main

import (
	types "example.com/size-classes/bindings/rengine_plugin_types"
	"example.com/size-classes/bindings/wasi_config_store"
	"example.com/size-classes/bindings/wasi_logging_logging"
	wit "example.com/size-classes/bindings/wit/types"
	_ "example.com/size-classes/bindings/wit_exports"
)

// The compiler wants one; rengine calls the hooks.
func main() {}

// result is what a hook without a value returns.
type result = wit.Result[wit.Unit, types.Refusal]

func done() result { return wit.Ok[wit.Unit, types.Refusal](wit.Unit{}) }

// refuse says no. The hint may be empty.
func refuse(reason, hint string) result {
	return wit.Err[wit.Unit, types.Refusal](refusal(reason, hint))
}

func refusal(reason, hint string) types.Refusal {
	if hint == "" {
		return types.Refusal{Reason: reason, Hint: wit.None[string]()}
	}
	return types.Refusal{Reason: reason, Hint: wit.Some(hint)}
}

// because is why a change was not made.
func because(why types.ChangeError) string {
	if why.Tag() == types.ChangeErrorDenied {
		return why.Denied()
	}
	return why.Invalid()
}

// info shows a message to the person who deploys.
func info(message string) {
	wasi_logging_logging.Log(wasi_logging_logging.LevelInfo, "", message)
}

// setting is one of plugins.toml; false where it is not set.
func setting(name string) (string, bool) {
	found := wasi_config_store.Get(name)
	if found.IsErr() || found.Ok().IsNone() {
		return "", false
	}
	return found.Ok().Some(), true
}
