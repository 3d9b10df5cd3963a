// Package magento is a stand-in for the REST interface of a Magento 2.4 shop: it answers as a real one was recorded to
// answer, its traps included. It holds a shop in memory. Tests, the demo and newcomers use it; nothing of it is a copy
// of Magento.
//
// How it is put together: a route (route.go) names a method, a path, what its body must bring (input.go) and a function
// that takes a call (call.go) and returns what is to be sent or a fault (fault.go). /async/bulk checks and runs the same
// routes. What the shop holds is the world (world.go), under one lock.
package magento
