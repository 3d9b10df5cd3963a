package magento

import "net/http"

// fault is an error as the wire has it. What is no fault and comes back from a route is an internal error.
type fault struct {
	status  int
	message string
	params  any // obj for named placeholders, []any for %1, nil for none
	errors  []*fault
	value   bool // about a value's type
	plain   bool // PHP died of a TypeError: text/plain, and a consumer dies with it
}

func (f *fault) Error() string { return f.message }

// fail is a fault whose text has no placeholders; with params for %1, %2.
func fail(status int, message string, params ...any) *fault {
	f := &fault{status: status, message: message}
	if len(params) > 0 {
		f.params = params
	}
	return f
}

// failNamed is a fault with named placeholders: name, value, name, value.
func failNamed(status int, message string, pairs ...any) *fault {
	o := make(obj, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		o = append(o, member{pairs[i].(string), pairs[i+1]})
	}
	return &fault{status: status, message: message, params: o}
}

// missing is a required parameter that is not there.
func missing(field string) *fault {
	return failNamed(http.StatusBadRequest, `"%fieldName" is required. Enter and try again.`, "fieldName", field)
}

func unsupported(field string) *fault {
	return failNamed(http.StatusBadRequest, `"%fieldName" is not supported. Correct the field name and try again.`, "fieldName", field)
}

// noEntity is the answer to an id or code that nothing has.
func noEntity(field string, value any) *fault {
	return failNamed(http.StatusNotFound, "No such entity with %fieldName = %fieldValue", "fieldName", field, "fieldValue", value)
}

func noProduct() *fault {
	return fail(http.StatusNotFound, "The product that was requested doesn't exist. Verify the product and try again.")
}

func noRoute() *fault { return fail(http.StatusNotFound, "Request does not match any route.") }

// typeError is a body that kills the PHP process.
func typeError() *fault {
	return &fault{status: http.StatusInternalServerError, plain: true,
		message: "An error has happened during application run. See exception log for details.\n"}
}

// internalError is what an unexpected exception becomes.
func internalError(report string) *fault {
	return fail(http.StatusInternalServerError, "Internal Error. Details are available in Magento log file. Report ID: webapi-"+report)
}

// several is one fault of many: one alone is itself.
func several(faults []*fault) *fault {
	if len(faults) == 1 {
		return faults[0]
	}
	return &fault{status: http.StatusBadRequest, message: "One or more input exceptions have occurred.", errors: faults}
}

func (f *fault) body() obj {
	o := obj{{"message", f.message}}
	if len(f.errors) > 0 {
		list := make([]any, len(f.errors))
		for i, e := range f.errors {
			list[i] = e.body()
		}
		o = append(o, member{"errors", list})
	}
	if f.params != nil {
		o = append(o, member{"parameters", f.params})
	}
	return o
}
