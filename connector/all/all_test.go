package all_test

import (
	"slices"
	"testing"

	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
)

func TestEveryConnectorOnce(t *testing.T) {
	var kinds []string
	for _, c := range all.All() {
		spec := c.Spec()
		t.Run(spec.Kind, func(t *testing.T) { connectortest.CheckSpec(t, spec) })
		kinds = append(kinds, spec.Kind)
	}
	if want := []string{"api", "file", "magento", "memory", "mysql", "pimcore", "postgres", "sqlite"}; !slices.Equal(kinds, want) {
		t.Errorf("%q, want %q", kinds, want)
	}
}
