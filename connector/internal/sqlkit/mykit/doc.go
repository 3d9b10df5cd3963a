// Package mykit is what the connectors share that speak to MariaDB or MySQL: connecting, faults, and change tables that
// triggers fill.
package mykit
