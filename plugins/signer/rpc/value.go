package rpc

import (
	"fmt"
	"math"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/artifactctl/artifactctl/plugins/signer"
	signerpb "github.com/artifactctl/artifactctl/plugins/signer/rpc/proto"
)

// toValues maps a with: block to the wire. On the other side fromValues gives the same values with these types: bool,
// int (int64 or uint64 where int is too narrow), float64, string, nil, []any, map[string]any.
func toValues(with map[string]any) (map[string]*signerpb.Value, error) {
	out := make(map[string]*signerpb.Value, len(with))
	for key, v := range with {
		w, err := toValue("with."+key, v)
		if err != nil {
			return nil, err
		}
		if !utf8.ValidString(key) {
			return nil, fmt.Errorf("%w: with: key %q is not UTF-8", signer.ErrInvalid, key)
		}
		out[key] = w
	}
	return out, nil
}

func toValue(path string, v any) (*signerpb.Value, error) {
	if _, ok := v.(time.Time); ok {
		return nil, fmt.Errorf("%w: %s is a timestamp in YAML; put it in quotes", signer.ErrInvalid, path)
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Invalid:
		return &signerpb.Value{}, nil
	case reflect.Bool:
		return &signerpb.Value{Kind: &signerpb.Value_Boolean{Boolean: rv.Bool()}}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &signerpb.Value{Kind: &signerpb.Value_Integer{Integer: rv.Int()}}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return unsignedValue(rv.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return &signerpb.Value{Kind: &signerpb.Value_Number{Number: rv.Float()}}, nil
	case reflect.String:
		if !utf8.ValidString(rv.String()) {
			return nil, fmt.Errorf("%w: %s is not UTF-8", signer.ErrInvalid, path)
		}
		return &signerpb.Value{Kind: &signerpb.Value_Text{Text: rv.String()}}, nil
	case reflect.Slice, reflect.Array:
		return toList(path, rv)
	case reflect.Map:
		return toObject(path, rv)
	}
	return nil, fmt.Errorf("%w: %s has a type that YAML does not have", signer.ErrInvalid, path)
}

func unsignedValue(n uint64) *signerpb.Value {
	if n > math.MaxInt64 {
		return &signerpb.Value{Kind: &signerpb.Value_Unsigned{Unsigned: n}}
	}
	return &signerpb.Value{Kind: &signerpb.Value_Integer{Integer: int64(n)}}
}

func toList(path string, rv reflect.Value) (*signerpb.Value, error) {
	list := &signerpb.Value_List{Values: make([]*signerpb.Value, rv.Len())}
	for i := range rv.Len() {
		w, err := toValue(fmt.Sprintf("%s[%d]", path, i), rv.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		list.Values[i] = w
	}
	return &signerpb.Value{Kind: &signerpb.Value_List_{List: list}}, nil
}

func toObject(path string, rv reflect.Value) (*signerpb.Value, error) {
	object := &signerpb.Value_Map{Values: make(map[string]*signerpb.Value, rv.Len())}
	for _, key := range rv.MapKeys() {
		name, ok := key.Interface().(string)
		if !ok || !utf8.ValidString(name) {
			return nil, fmt.Errorf("%w: %s: key %v is not a string", signer.ErrInvalid, path, key.Interface())
		}
		w, err := toValue(path+"."+name, rv.MapIndex(key).Interface())
		if err != nil {
			return nil, err
		}
		object.Values[name] = w
	}
	return &signerpb.Value{Kind: &signerpb.Value_Object{Object: object}}, nil
}

// fromValues is the inverse of toValues; it never returns nil.
func fromValues(values map[string]*signerpb.Value) map[string]any {
	out := make(map[string]any, len(values))
	for key, v := range values {
		out[key] = fromValue(v)
	}
	return out
}

func fromValue(v *signerpb.Value) any {
	switch k := v.GetKind().(type) {
	case *signerpb.Value_Boolean:
		return k.Boolean
	case *signerpb.Value_Integer:
		if int64(int(k.Integer)) == k.Integer {
			return int(k.Integer)
		}
		return k.Integer
	case *signerpb.Value_Unsigned:
		return k.Unsigned
	case *signerpb.Value_Number:
		return k.Number
	case *signerpb.Value_Text:
		return k.Text
	case *signerpb.Value_List_:
		list := make([]any, len(k.List.GetValues()))
		for i, item := range k.List.GetValues() {
			list[i] = fromValue(item)
		}
		return list
	case *signerpb.Value_Object:
		return fromValues(k.Object.GetValues())
	}
	return nil
}
