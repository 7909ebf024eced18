package outlet_test

import "net"

// smallWindow dials as always: what sockets hold is not set here.
var smallWindow net.Dialer
