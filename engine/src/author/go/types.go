// Package wit has the types that generated code makes of WIT's own.
package wit

// Values of a tag.
const (
	OptionNone uint8 = 0
	OptionSome uint8 = 1
	ResultOk   uint8 = 0
	ResultErr  uint8 = 1
)

// Unit is what a result without a value holds.
type Unit struct{}

// Option is a value that may be missing.
type Option[T any] struct {
	some  bool
	value T
}

// Some is a value that is there.
func Some[T any](value T) Option[T] { return Option[T]{true, value} }

// None is a value that is missing.
func None[T any]() Option[T] { return Option[T]{} }

// Tag is OptionNone or OptionSome.
func (o Option[T]) Tag() uint8 {
	if o.some {
		return OptionSome
	}
	return OptionNone
}

// Some returns the value, and panics if it is missing.
func (o Option[T]) Some() T {
	if !o.some {
		panic("an option without a value")
	}
	return o.value
}

// SomeOr returns the value, or what is given where it is missing.
func (o Option[T]) SomeOr(instead T) T {
	if !o.some {
		return instead
	}
	return o.value
}

// IsSome is true if the value is there.
func (o Option[T]) IsSome() bool { return o.some }

// IsNone is true if it is missing.
func (o Option[T]) IsNone() bool { return !o.some }

// Result is a value or an error.
type Result[T, E any] struct {
	failed bool
	value  T
	err    E
}

// Ok is a result that went well.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{value: value} }

// Err is a result that did not.
func Err[T, E any](err E) Result[T, E] { return Result[T, E]{failed: true, err: err} }

// Tag is ResultOk or ResultErr.
func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

// Ok returns the value, and panics if there is an error.
func (r Result[T, E]) Ok() T {
	if r.failed {
		panic("the value of a result that is an error")
	}
	return r.value
}

// Err returns the error, and panics if there is a value.
func (r Result[T, E]) Err() E {
	if !r.failed {
		panic("the error of a result that is a value")
	}
	return r.err
}

// IsOk is true if it went well.
func (r Result[T, E]) IsOk() bool { return !r.failed }

// IsErr is true if it did not.
func (r Result[T, E]) IsErr() bool { return r.failed }

// Tuple2 is a tuple of two.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}

// Tuple3 is a tuple of three.
type Tuple3[A, B, C any] struct {
	F0 A
	F1 B
	F2 C
}

// Tuple4 is a tuple of four.
type Tuple4[A, B, C, D any] struct {
	F0 A
	F1 B
	F2 C
	F3 D
}
