package containers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// postgresVariable holds the URL of a server where the tests may create and
// drop databases.
const postgresVariable = "COUNTERSIGN_TEST_POSTGRES"

const (
	// pingTimeout bounds one try to connect.
	pingTimeout = time.Second
	// pollInterval is the pause between tries.
	pollInterval = 50 * time.Millisecond
	// readyTimeout bounds the time from the start of a server to its first answer.
	readyTimeout = time.Minute
)

// settings are the server's arguments: durability is not what the tests look
// at, and many pools share one server.
func settings() []string {
	return []string{"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200"}
}

// sources lists the ways to a server, the preferred first. A run that
// requires Docker takes nothing else.
func sources() []source {
	docker := source{name: "docker", start: startDocker}
	if required(dockerTool) {
		return []source{docker}
	}
	return []source{
		docker,
		{name: postgresVariable, start: fromEnvironment},
		{name: "local installation", start: startLocal},
	}
}

// fromEnvironment takes the server that somebody else runs. It is not stopped.
func fromEnvironment(ctx context.Context) (server, error) {
	dsn := os.Getenv(postgresVariable)
	if dsn == "" {
		return server{}, errors.New("not set")
	}
	if _, err := withDatabase(dsn, ""); err != nil {
		return server{}, err
	}
	if err := ping(ctx, dsn); err != nil {
		return server{}, fmt.Errorf("connect: %w", err)
	}
	return server{dsn: dsn}, nil
}

// awaitReady tries the addresses in turn until one answers a query, and
// returns it. Alive reports a server that cannot answer any more.
func awaitReady(ctx context.Context, dsns []string, alive func(ctx context.Context) error) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		var last error
		for _, dsn := range dsns {
			if last = ping(ctx, dsn); last == nil {
				return dsn, nil
			}
		}
		if err := alive(ctx); err != nil {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("PostgreSQL does not answer: %w", last)
		case <-tick.C:
		}
	}
}

// ping connects once.
func ping(ctx context.Context, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return errors.New("not a URL that the driver understands")
	}
	pinged := db.PingContext(ctx)
	if err := db.Close(); err != nil && pinged == nil {
		return fmt.Errorf("close the connection: %w", err)
	}
	return pinged
}
