package guest

import "context"

// Disconnect takes the guest off the network, as a pulled cable does: nothing
// comes out of it or gets into it. Commands still reach it.
func (vm *VM) Disconnect(ctx context.Context) error {
	return run(command(ctx, "ip", "link", "set", vm.nic.tap(), "down"))
}

// Connect undoes [VM.Disconnect].
func (vm *VM) Connect(ctx context.Context) error {
	return run(command(ctx, "ip", "link", "set", vm.nic.tap(), "up"))
}
