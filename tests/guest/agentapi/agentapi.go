// Package agentapi is the protocol between the harness and the agent that is
// PID 1 of a test guest: JSON objects, one a line, in both directions over a
// virtio-serial port, so that it survives every fault of the guest's network.
//
// The agent speaks first, with a Response of ID 0, once the guest is ready.
// After that requests may overlap; a Response carries the ID of its Request.
package agentapi

const (
	// PortName is the name of the virtio-serial port.
	PortName = "san-csi.agent"

	// ProxyPort is the TCP port on which the agent connects to unix sockets of
	// the guest. The caller sends the socket's path and a newline, the agent
	// answers ProxyOK or the reason as one line; bytes follow in both directions.
	ProxyPort = 7001

	// ProxyOK is the proxy's answer, without the newline, when it is connected.
	ProxyOK = "ok"

	// ChunkSize bounds the bytes of a file that travel in one message.
	ChunkSize = 1 << 20
)

// Op says what is asked of the agent.
type Op string

// The agent's operations.
const (
	OpExec     Op = "exec"     // run Argv to its end
	OpStart    Op = "start"    // start Argv in a session of its own, output to Path
	OpCancel   Op = "cancel"   // kill what the exec with ID Target runs
	OpPut      Op = "put"      // write Data to Path, or append it
	OpGet      Op = "get"      // read ChunkSize bytes of Path from Offset
	OpPowerOff Op = "poweroff" // sync and switch off
)

// Request is one operation.
type Request struct {
	ID     int64    `json:"id"`
	Op     Op       `json:"op"`
	Argv   []string `json:"argv,omitempty"`
	Path   string   `json:"path,omitempty"`
	Data   []byte   `json:"data,omitempty"`
	Mode   uint32   `json:"mode,omitempty"` // permission bits of a file that is made
	Append bool     `json:"append,omitempty"`
	Offset int64    `json:"offset,omitempty"` // bytes
	Target int64    `json:"target,omitempty"`
}

// Response answers one Request.
type Response struct {
	ID     int64  `json:"id"`
	PID    int    `json:"pid,omitempty"`
	Code   int    `json:"code,omitempty"` // exit code; 128+n for signal n
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	Data   []byte `json:"data,omitempty"`
	EOF    bool   `json:"eof,omitempty"`
	Error  string `json:"error,omitempty"` // the agent could not do it at all
}

// BootArgs are the words on the kernel's command line that tell the agent who
// its guest is.
const (
	ArgName    = "guest.name"    // host name
	ArgIQN     = "guest.iqn"     // iSCSI initiator name
	ArgIP      = "guest.ip"      // address with prefix length, CIDR
	ArgGateway = "guest.gateway" // default route
	ArgPayload = "guest.payload" // block device to mount read-only on /payload
)
