package faulttest

import (
	_ "embed"
	"fmt"

	"github.com/flume-go/flume/internal/vfs"
)

// keyStore has the keys key-0 and key-1. It was made with the fewest iterations that keytool knows, as every opening
// goes through them (the key's password was given as the store's):
//
//	keytool -J-Djdk.jceks.iterationCount=10000 -genseckey -storetype jceks -keystore keys.jceks -storepass store-password -alias key-0 -keyalg AES -keysize 128
//	keytool -J-Djdk.jceks.iterationCount=10000 -genseckey -storetype jceks -keystore keys.jceks -storepass store-password -alias key-1 -keyalg AES -keysize 256
//
//go:embed testdata/keys.jceks
var keyStore []byte

// KeySettings are the properties of a channel that encrypts with a key that AddKeys puts on the disk.
var KeySettings = map[string]string{
	"encryption.activeKey":                        "key-1",
	"encryption.cipherProvider":                   "AESCTRNOPADDING",
	"encryption.keyProvider":                      "JCEKSFILE",
	"encryption.keyProvider.keyStoreFile":         "/keys/keys.jceks",
	"encryption.keyProvider.keyStorePasswordFile": "/keys/password",
	"encryption.keyProvider.keys":                 "key-0 key-1",
}

// AddKeys puts the key store of KeySettings on the disk, where it stays whatever happens.
func (h *History) AddKeys() error {
	if err := vfs.MkdirAllSync(h.disk, "/keys", 0o700); err != nil {
		return fmt.Errorf("adding keys to a disk: %w", err)
	}
	for name, data := range map[string][]byte{"/keys/keys.jceks": keyStore, "/keys/password": []byte("store-password")} {
		if err := vfs.ReplaceFile(h.disk, name, data, 0o600); err != nil {
			return fmt.Errorf("adding keys to a disk: %w", err)
		}
	}
	return nil
}
