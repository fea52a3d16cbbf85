package harness

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// ZooKeeper is a running server with one connection to it.
type ZooKeeper struct {
	Addr string // host:port
	conn *zk.Conn
}

// StartZooKeeper starts a single ZooKeeper server and waits until it answers.
func StartZooKeeper(t testing.TB) *ZooKeeper {
	t.Helper()
	port := FreePort(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "zoo.cfg")
	WriteFile(t, config, fmt.Sprintf("tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\n"+
		"admin.enableServer=false\n", dir, port))
	startJava(t, "zookeeper", "zookeeper", launch{
		main: "org.apache.zookeeper.server.ZooKeeperServerMain", args: []string{config},
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	// A session asked for while the server still starts can be lost without an answer.
	Eventually(t, startLimit, "ZooKeeper to serve", func() bool {
		return strings.Contains(ask(addr, "srvr"), "Mode:")
	})
	conn, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatalf("connecting to ZooKeeper: %v", err)
	}
	t.Cleanup(conn.Close)
	limit := time.After(startLimit)
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return &ZooKeeper{Addr: addr, conn: conn}
			}
		case <-limit:
			t.Fatalf("waited %v in vain for a ZooKeeper session", startLimit)
		}
	}
}

// ask sends one of ZooKeeper's four-letter commands and returns the answer, empty if there is none yet.
func ask(addr, command string) string {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return ""
	}
	if _, err := io.WriteString(conn, command); err != nil {
		return ""
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return ""
	}
	return string(answer)
}

// Put sets the data of a node and creates it if it is not there. Its parent must be.
func (z *ZooKeeper) Put(t testing.TB, path, data string) {
	t.Helper()
	_, err := z.conn.Set(path, []byte(data), -1)
	if errors.Is(err, zk.ErrNoNode) {
		_, err = z.conn.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll))
	}
	if err != nil {
		t.Fatalf("writing ZooKeeper node %s: %v", path, err)
	}
}

// Delete removes a node.
func (z *ZooKeeper) Delete(t testing.TB, path string) {
	t.Helper()
	if err := z.conn.Delete(path, -1); err != nil {
		t.Fatalf("deleting ZooKeeper node %s: %v", path, err)
	}
}
