// Package runtime is what generated code needs of Go's: memory that the host can write to, and
// handles of resources.
package runtime

import (
	"runtime"
	"runtime/debug"
	"unsafe"
)

// A collection that starts while the host hands over arguments traps: it calls clocks, and a
// component can't call anything then. Each call of a hook has an instance of its own, so what is
// not collected lives for one call.
func init() {
	debug.SetGCPercent(-1)
	started = true
}

var (
	started bool
	// The WASI adapter asks for its stack before the Go runtime is up.
	early [160 << 10]byte
	used  uintptr
	held  runtime.Pinner
)

// Allocate returns memory that stays where it is until the pinner lets go.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	// Eight bytes at a time, which is the largest alignment that WIT has.
	pointer := unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	pinner.Pin(pointer)
	return pointer
}

// Unpin lets go of what the host wrote.
func Unpin() { held.Unpin() }

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if started {
		return Allocate(&held, size, align)
	}
	const step = 15
	base := uintptr(unsafe.Pointer(&early))
	used = (base+used+step)&^step - base
	pointer := unsafe.Add(unsafe.Pointer(&early), used)
	used += size
	if used > uintptr(len(early)) {
		panic("there is no memory left for what comes before the start")
	}
	return pointer
}

// Handle is a resource of the host, or nothing after it was given away.
type Handle struct{ value int32 }

// MakeHandle takes what the host gave.
func MakeHandle(value int32) *Handle { return &Handle{value} }

// Use returns the handle, which stays.
func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("a resource that is gone")
	}
	return h.value
}

// Take returns the handle, which is gone then.
func (h *Handle) Take() int32 {
	value := h.Use()
	h.value = 0
	return value
}

// TakeOrNil is Take, and 0 if it is gone already.
func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}

// Set puts a handle where there is none.
func (h *Handle) Set(value int32) {
	if h.value != 0 {
		panic("a handle over another")
	}
	h.value = value
}
