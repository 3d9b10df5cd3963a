<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Command;

use Lockstep\PimcoreBundle\Core\Notifier;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/** Sends what waits in the spool: for cron, each minute. */
final class SendCommand extends Command
{
    public const NAME = 'lockstep:send';
    public const HELP = 'Sends the hints that wait for lockstep';

    public function __construct(private readonly Notifier $notifier)
    {
        parent::__construct(self::NAME);
    }

    protected function configure(): void
    {
        $this->setDescription(self::HELP)
            ->addOption('timeout', null, InputOption::VALUE_REQUIRED, 'Seconds that one notice may take', '60');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $code = 0;
        foreach ($this->notifier->send(max(0.1, (float) $input->getOption('timeout'))) as $name => $report) {
            if ($report->sent > 0 || $output->isVerbose()) {
                $output->writeln("$name: {$report->sent} hints sent");
            }
            if ('' !== $report->why) {
                $output->writeln("$name: {$report->waiting} bytes of hints wait: {$report->why}");
                $code = 1;
            }
        }

        return $code;
    }
}
