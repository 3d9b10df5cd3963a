package pimcore

// mutationRoot is the type Mutations.
type mutationRoot struct{}

func (mutationRoot) typeName() string { return "Mutations" }

func (mutationRoot) field(*request, *planned) (any, error) { return nil, errInternal }
