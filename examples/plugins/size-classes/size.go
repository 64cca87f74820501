package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	pre_run "example.com/size-classes/bindings/export_rengine_plugin_pre_run"
	"example.com/size-classes/bindings/rengine_plugin_container"
	types "example.com/size-classes/bindings/rengine_plugin_types"
	wit "example.com/size-classes/bindings/wit/types"
)

func init() { pre_run.Hook = preRun }

// size is what a class gives to a container.
type size struct {
	Memory string  `json:"memory"`
	Cpus   float64 `json:"cpus"`
	Pids   uint32  `json:"pids"`
}

// builtin are the classes where the settings have none.
var builtin = map[string]size{
	"small":  {Memory: "128MiB", Cpus: 0.25, Pids: 128},
	"medium": {Memory: "512MiB", Cpus: 1, Pids: 256},
	"large":  {Memory: "2GiB", Cpus: 2, Pids: 1024},
}

// Before a container is created: limits that the service does not set come from its class.
func preRun(ctx types.Context, spec *rengine_plugin_container.ContainerSpec) result {
	classes := builtin
	if text, set := setting("classes"); set {
		classes = nil
		if err := json.Unmarshal([]byte(text), &classes); err != nil {
			return refuse("config `classes`: "+err.Error(), "give each class memory, cpus and pids")
		}
	}
	name := class(spec.Labels())
	chosen, known := classes[name]
	if !known {
		names := slices.Sorted(maps.Keys(classes))
		return refuse(
			fmt.Sprintf("%s is of the size class `%s`, which there is not", ctx.Service, name),
			"set the label `size` to one of "+strings.Join(names, ", "),
		)
	}
	memory, err := bytes(chosen.Memory)
	if err != nil {
		return refuse("config `classes."+name+".memory`: "+err.Error(), "write it as 512MiB")
	}
	if spec.Memory().IsNone() {
		if set := spec.SetMemory(wit.Some(memory)); set.IsErr() {
			return refuse(because(set.Err()), "")
		}
	}
	if spec.Cpus().IsNone() {
		if set := spec.SetCpus(wit.Some(chosen.Cpus)); set.IsErr() {
			return refuse(because(set.Err()), "")
		}
	}
	if spec.PidsLimit().IsNone() {
		if set := spec.SetPidsLimit(wit.Some(chosen.Pids)); set.IsErr() {
			return refuse(because(set.Err()), "")
		}
	}
	return done()
}

// class is what the label `size` says, or else the setting `default`, or else small.
func class(labels []wit.Tuple2[string, string]) string {
	for _, label := range labels {
		if label.F0 == "size" {
			return label.F1
		}
	}
	if name, set := setting("default"); set {
		return name
	}
	return "small"
}

// bytes reads a size such as 512MiB.
func bytes(text string) (uint64, error) {
	for unit, shift := range map[string]uint{"KiB": 10, "MiB": 20, "GiB": 30} {
		if number, found := strings.CutSuffix(text, unit); found {
			value, err := strconv.ParseUint(number, 10, 64-int(shift))
			return value << shift, err
		}
	}
	return 0, fmt.Errorf("`%s` has none of the units KiB, MiB and GiB", text)
}
