//go:build unix

package vfs

import "syscall"

var noSpaceErrors = [...]error{syscall.ENOSPC, syscall.EDQUOT}
